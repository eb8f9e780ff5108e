//! Catches panics of the plugin, and says where they happened instead of printing it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    /// Whether this thread runs the plugin's code at the moment.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What the last panic in there said, with its place.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the plugin's code.
///
/// # Errors
/// The message and the place of its panic.
pub(super) fn inside<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    install_hook();
    let before = IS_INSIDE.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    IS_INSIDE.set(before);
    result.map_err(|payload| SAID.take().unwrap_or_else(|| message(payload.as_ref())))
}

/// Runs the host's code within the plugin's; its panics are not the plugin's.
pub(super) fn outside<T>(body: impl FnOnce() -> T) -> T {
    let before = IS_INSIDE.replace(false);
    let result = body();
    IS_INSIDE.set(before);
    result
}

/// Keeps panics inside from being printed; all others go where they went before.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_INSIDE.get() { SAID.set(Some(describe(info))) } else { previous(info) }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let said = message(info.payload());
    match info.location() {
        Some(place) => format!("{said} ({}:{})", place.file(), place.line()),
        None => said,
    }
}

fn message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
