//! The canonical ABI, as far as the contract needs it: texts and lists in a plugin's memory, both ways.
//!
//! What a plugin hands over is checked as the component model says: a range outside the memory, an address that is not
//! aligned and a text that is not UTF-8 end the call with a trap.

use crate::instance::HOSTCALL_BYTES_MAX;
use crate::state::State;
use wasmtime::{AsContextMut, Caller, Error, Memory, Result, TypedFunc, bail};

/// The plugin's side of the ABI: its memory, and the function that makes room there. A store has none while the plugin must
/// not call the host.
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) realloc: TypedFunc<(u32, u32, u32, u32), u32>,
}

/// Bytes of an address and a length, as texts and lists are passed.
const SPAN_BYTES: usize = 8;

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

/// The text at an address.
#[inline]
pub(crate) fn text(memory: &[u8], address: u32, length: u32) -> Result<&str> {
    let bytes = range(memory, address, length)?;
    if bytes.len() > HOSTCALL_BYTES_MAX {
        bail!("too much data is being copied between the host and the guest: {} bytes in one text", bytes.len());
    }
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
pub(crate) fn text_at(memory: &[u8], address: u32) -> Result<&str> {
    text(memory, number(memory, address)?, number(memory, behind(address, 4)?)?)
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
        let address = guest.realloc.call(&mut *store, (0, 0, alignment, length))?;
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
    let Some(guest) = store.as_context_mut().data_mut().guest.take() else { bail!("the plugin has no memory yet") };
    let result = body(store, &guest);
    store.as_context_mut().data_mut().guest = Some(guest);
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
fn outside() -> Error {
    Error::msg("the plugin named a range outside its memory")
}
