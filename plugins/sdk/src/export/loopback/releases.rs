//! Counts which arrays of a plugin were released, and whether each marked itself so.
//! In: an array of the plugin, whose release callback is replaced by one of ours that calls it.
//! Source: Arrow C data interface, "Release callback semantics for producers".

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What became of the arrays of some scans.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    /// Arrays that came without a release callback, hence released already.
    pub(crate) n_dead: AtomicUsize,
    /// Arrays that came alive.
    pub(crate) n_emitted: AtomicUsize,
    /// Arrays whose release was called.
    pub(crate) n_released: AtomicUsize,
    /// Those that did not mark themselves released.
    pub(crate) n_unmarked: AtomicUsize,
}

/// `struct ArrowArray` of the specification, whose fields the Arrow crate does not show.
#[repr(C)]
struct RawArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Self,
    dictionary: *mut Self,
    release: Option<unsafe extern "C" fn(array: *mut Self)>,
    private_data: *mut c_void,
}

/// What the array had in the places that we took.
struct Taken {
    release: unsafe extern "C" fn(array: *mut RawArray),
    private_data: *mut c_void,
    releases: Arc<Releases>,
}

/// Has the release of an array counted.
///
/// # Safety
/// `array` is a valid `struct ArrowArray` that nobody else uses.
pub(super) unsafe fn watch(array: *mut c_void, releases: Arc<Releases>) {
    // SAFETY: the caller promises it.
    let Some(array) = (unsafe { array.cast::<RawArray>().as_mut() }) else { return };
    let Some(release) = array.release else {
        releases.n_dead.fetch_add(1, Ordering::Relaxed);
        return;
    };
    releases.n_emitted.fetch_add(1, Ordering::Relaxed);
    let taken = Taken { release, private_data: array.private_data, releases };
    array.private_data = Box::into_raw(Box::new(taken)).cast();
    array.release = Some(release_watched);
}

unsafe extern "C" fn release_watched(array: *mut RawArray) {
    // SAFETY: whoever releases an array passes it, valid.
    let Some(found) = (unsafe { array.as_mut() }) else { return };
    // SAFETY: `watch` put the box there, and an array is released once.
    let taken = unsafe { Box::from_raw(found.private_data.cast::<Taken>()) };
    found.private_data = taken.private_data;
    found.release = Some(taken.release);
    // SAFETY: the plugin's own callback on the plugin's own array, as it made it.
    unsafe { (taken.release)(array) };
    taken.releases.n_released.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the structure itself is the caller's and still there.
    if unsafe { (*array).release }.is_some() {
        taken.releases.n_unmarked.fetch_add(1, Ordering::Relaxed);
    }
}
