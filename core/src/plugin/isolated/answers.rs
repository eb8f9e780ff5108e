//! Answers what a plugin in a child asks during a call, with the [`Exchange`] that a plugin in this
//! process would get its answers from.

use bytes::Bytes;
use sessionql_plugin_abi::ffi;

use super::process::End;
use super::rows;
use super::wire::{Frame, Kind};
use crate::display::escape_controls;
use crate::plugin::exchange::Exchange;

/// What follows a frame of a child.
pub(super) enum Next {
    /// A frame, with its body.
    Answer(Frame, Bytes),
    /// Nothing: the function returned this code.
    Ended(i32),
}

/// Answers a frame of a call.
///
/// # Errors
/// What about it is no sense.
pub(super) fn of(frame: Frame, call: u32, exchange: &mut Exchange<'_>) -> Result<Next, String> {
    match frame.kind {
        Kind::Http => Ok(answer(&frame.document, call, exchange)),
        Kind::Read => {
            let handle = u64::try_from(frame.value).map_err(|_| "an impossible body".to_owned())?;
            let mut piece = None;
            exchange.guarded(|exchange| {
                piece = exchange.read(handle);
                ffi::OK
            });
            let code = if piece.is_some() { ffi::OK } else { ffi::ERROR };
            let answer = Frame::new(call, Kind::Piece, i64::from(code));
            Ok(Next::Answer(answer, piece.unwrap_or_default()))
        }
        Kind::Emit => {
            let schema = exchange.schema().ok_or("rows from a call that is no scan")?;
            let rows = rows::decode(&frame.document, frame.body, &schema)
                .map_err(|error| format!("rows that cannot be read: {error}"))?;
            let code = exchange.guarded(|exchange| exchange.emit(Ok(rows)));
            Ok(Next::Answer(Frame::new(call, Kind::Flow, i64::from(code)), Bytes::new()))
        }
        Kind::Log => {
            let level = i32::try_from(frame.value).unwrap_or(ffi::Level::Debug as i32);
            let line = String::from_utf8_lossy(&frame.document);
            let code = exchange.guarded(|exchange| exchange.log(level, &line));
            Ok(Next::Answer(Frame::new(call, Kind::Flow, i64::from(code)), Bytes::new()))
        }
        Kind::Ended => {
            let end: End = serde_json::from_slice(&frame.document)
                .map_err(|error| format!("an end that cannot be read: {error}"))?;
            let code = i32::try_from(frame.value).map_err(|_| "an impossible code".to_owned())?;
            exchange.replied((end.n_replies > 0).then_some(frame.body), end.n_replies);
            if let Some(mut error) = end.refused {
                error.message = escape_controls(&error.message);
                exchange.refuse(error);
            }
            Ok(Next::Ended(code))
        }
        _ => Err("a frame out of turn".to_owned()),
    }
}

/// Sends a request, and answers with its head and as much of its body as is there.
fn answer(request: &[u8], call: u32, exchange: &mut Exchange<'_>) -> Next {
    let mut answered = None;
    exchange.guarded(|exchange| {
        answered = Some(exchange.http(request));
        ffi::OK
    });
    let Some(answered) = answered else {
        let refusal = Frame::new(call, Kind::Answer, -i64::from(ffi::ERROR));
        return Next::Answer(refusal, Bytes::new());
    };
    if answered.code != ffi::OK {
        let refusal = Frame::new(call, Kind::Answer, -i64::from(answered.code));
        return Next::Answer(refusal.with_document(answered.head), Bytes::new());
    }
    let piece = exchange.read(answered.body);
    let is_whole = piece.as_ref().is_some_and(|piece| piece.len() as u64 >= answered.body_len);
    if is_whole {
        exchange.close(answered.body);
    }
    let rest = if is_whole { 0 } else { i64::try_from(answered.body).unwrap_or(0) };
    let head = Frame::new(call, Kind::Answer, rest).with_document(answered.head);
    Next::Answer(head, piece.unwrap_or_default())
}
