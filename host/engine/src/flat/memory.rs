//! The canonical ABI, as far as the contract needs it: texts and lists in a plugin's memory, both ways.
//!
//! What a plugin hands over is checked as the component model says: a range outside the memory, an address that is not
//! aligned and a text that is not UTF-8 end the call with a trap.

use crate::instance::HOSTCALL_BYTES_MAX;
use crate::state::State;
use wasmtime::{AsContextMut, Caller, Error, Memory, Result, TypedFunc, bail, format_err};

/// The plugin's side of the ABI: its memory, and the function that makes room there, which may come with a later part.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) realloc: Option<TypedFunc<(u32, u32, u32, u32), u32>>,
}

/// Bytes of an address and a length, as texts and lists are passed.
pub(crate) const SPAN_BYTES: usize = 8;

/// The plugin's memory and what the host holds, side by side.
///
/// # Errors
/// The plugin called the host where the component model does not let it: while it makes room, or before it is set up.
#[inline]
pub(crate) fn open<'a>(caller: &'a mut Caller<'_, State>) -> Result<(&'a mut [u8], &'a mut State)> {
    let Some(guest) = &caller.data().guest else {
        bail!("the plugin called the host at a time when it must not: while it was set up, made room, or cleaned up");
    };
    let memory = guest.memory;
    Ok(memory.data_and_store_mut(caller))
}

/// What the host holds, for calls that pass nothing in memory: they may come before there is any.
///
/// # Errors
/// As [`open`], but for the beginning.
#[inline]
pub(crate) fn state<'a>(caller: &'a mut Caller<'_, State>) -> Result<&'a mut State> {
    let state = caller.data_mut();
    if state.alone {
        bail!("the plugin called the host while it made room or cleaned up");
    }
    Ok(state)
}

/// The address so many bytes behind another.
///
/// # Errors
/// It is beyond the end of any memory.
#[inline]
pub(crate) fn behind(address: u32, bytes: u32) -> Result<u32> {
    address.checked_add(bytes).ok_or_else(outside)
}

/// The bytes at an address.
#[inline]
pub(crate) fn range(memory: &[u8], address: u32, length: u32) -> Result<&[u8]> {
    let start = address as usize;
    memory.get(start..start + length as usize).ok_or_else(outside)
}

/// The bytes at an address, of which no more may be passed at once than are left.
#[inline]
pub(crate) fn bytes<'m>(memory: &'m [u8], address: u32, length: u32, left: &mut usize) -> Result<&'m [u8]> {
    let bytes = range(memory, address, length)?;
    *left = left.checked_sub(bytes.len()).ok_or_else(too_much)?;
    Ok(bytes)
}

/// The text at an address.
#[inline]
pub(crate) fn text(memory: &[u8], address: u32, length: u32) -> Result<&str> {
    text_within(memory, address, length, &mut { HOSTCALL_BYTES_MAX })
}

/// Two texts that one call passes, each by its address and length.
#[inline]
pub(crate) fn texts(memory: &[u8], first: (u32, u32), second: (u32, u32)) -> Result<(&str, &str)> {
    let mut left = HOSTCALL_BYTES_MAX;
    let first = text_within(memory, first.0, first.1, &mut left)?;
    Ok((first, text_within(memory, second.0, second.1, &mut left)?))
}

#[inline]
fn text_within<'m>(memory: &'m [u8], address: u32, length: u32, left: &mut usize) -> Result<&'m str> {
    let bytes = bytes(memory, address, length, left)?;
    // The quick check does not say where; the standard one does.
    simdutf8::basic::from_utf8(bytes).or_else(|_| Ok(std::str::from_utf8(bytes)?))
}

/// A number in memory.
#[inline]
pub(crate) fn number(memory: &[u8], address: u32) -> Result<u32> {
    let bytes = range(memory, aligned(address, 4)?, 4)?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// The text whose address and length stand at `address`.
pub(crate) fn text_at<'m>(memory: &'m [u8], address: u32, left: &mut usize) -> Result<&'m str> {
    text_within(memory, number(memory, address)?, number(memory, behind(address, 4)?)?, left)
}

/// One byte, which tells an option, a result or a variant.
#[inline]
pub(crate) fn tag(memory: &[u8], address: u32) -> Result<u8> {
    memory.get(address as usize).copied().ok_or_else(outside)
}

/// The place for an answer of `N` bytes, of a type that stands at multiples of `alignment`.
#[inline]
pub(crate) fn place<const N: usize>(memory: &mut [u8], address: u32, alignment: u32) -> Result<&mut [u8; N]> {
    let start = aligned(address, alignment)? as usize;
    let place = memory.get_mut(start..start + N).ok_or_else(outside)?;
    Ok(place.try_into().expect("cut to its length"))
}

/// Copies bytes into room that the plugin makes, and says where.
pub(crate) fn give(caller: &mut Caller<'_, State>, bytes: &[u8]) -> Result<u32> {
    let address = make_room(&mut *caller, 1, bytes.len())?;
    let (memory, _) = open(caller)?;
    memory.get_mut(address as usize..address as usize + bytes.len()).ok_or_else(outside)?.copy_from_slice(bytes);
    Ok(address)
}

/// Copies texts into room that the plugin makes, as a list: its address.
pub(crate) fn give_list(caller: &mut Caller<'_, State>, texts: &[String]) -> Result<u32> {
    let list = make_room(&mut *caller, 4, texts.len() * SPAN_BYTES)?;
    for (at, text) in texts.iter().enumerate() {
        let address = give(caller, text.as_bytes())?;
        let (memory, _) = open(caller)?;
        *place(memory, list + (at * SPAN_BYTES) as u32, 4)? = span(address, text.len());
    }
    Ok(list)
}

/// An address and a length, as they stand in memory.
#[inline]
pub(crate) fn span(address: u32, length: usize) -> [u8; SPAN_BYTES] {
    let mut span = [0; SPAN_BYTES];
    span[..4].copy_from_slice(&address.to_le_bytes());
    span[4..].copy_from_slice(&(length as u32).to_le_bytes());
    span
}

/// Lets the plugin make room for `length` bytes.
#[inline]
pub(crate) fn make_room(mut store: impl AsContextMut<Data = State>, alignment: u32, length: usize) -> Result<u32> {
    let mut store = store.as_context_mut();
    let length = u32::try_from(length)?;
    let (address, bytes) = alone(&mut store, |store, guest| {
        let Some(realloc) = &guest.realloc else { bail!("the plugin cannot make room yet") };
        let address = realloc.call(&mut *store, (0, 0, alignment, length))?;
        Ok((address, guest.memory.data_size(&*store)))
    })?;
    if u64::from(address) + u64::from(length) > bytes as u64 {
        return Err(outside());
    }
    aligned(address, alignment)
}

/// Lets the plugin do something of its own, in which it must not call the host.
#[inline]
pub(crate) fn alone<S: AsContextMut<Data = State>, R>(
    store: &mut S,
    body: impl FnOnce(&mut S, &Guest) -> Result<R>,
) -> Result<R> {
    let mut context = store.as_context_mut();
    let state = context.data_mut();
    let Some(guest) = state.guest.take() else { bail!("the plugin has no memory yet") };
    state.alone = true;
    let result = body(store, &guest);
    let mut context = store.as_context_mut();
    let state = context.data_mut();
    (state.guest, state.alone) = (Some(guest), false);
    result
}

#[inline]
pub(crate) fn aligned(address: u32, alignment: u32) -> Result<u32> {
    if !address.is_multiple_of(alignment) {
        bail!("the plugin named the address {address:#x}, which is not aligned");
    }
    Ok(address)
}

#[cold]
fn too_much() -> Error {
    format_err!(
        "too much data is being copied between the host and the guest: more than {HOSTCALL_BYTES_MAX} bytes at once"
    )
}

#[cold]
fn outside() -> Error {
    Error::msg("the plugin named a range outside its memory")
}
