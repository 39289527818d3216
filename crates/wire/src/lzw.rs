//! LZW as the memberlist wire has it: codes packed from the lowest bit, literals of 8 bits, the GIF
//! variant (spec 2.4).

use thiserror::Error;

/// Says that the table starts afresh.
const CLEAR: u16 = 256;
/// Says that the data is complete.
const END: u16 = 257;
/// The counter of codes right after a clear; the first code raises it to the first free one, 258.
const FIRST: u16 = END;
/// The highest code. The encoder clears its table instead of assigning it.
const LAST: u16 = 4095;
const MIN_WIDTH: u32 = 9;
const MAX_WIDTH: u32 = 12;

/// Why compressed bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LzwError {
    /// The bytes end before the end code.
    #[error("the compressed data is cut off")]
    Truncated,
    /// A code that has not been assigned.
    #[error("the compressed data has an unknown code")]
    UnknownCode,
    /// More comes out than is allowed.
    #[error("the decompressed data is too long")]
    TooLong,
}

/// Appends the compressed form of `input`.
pub fn compress(input: &[u8], out: &mut Vec<u8>) {
    let mut encoder = Encoder { bits: BitWriter::new(out), next: FIRST, table: Table::new() };
    encoder.bits.put(CLEAR);
    if let Some((&first, rest)) = input.split_first() {
        let mut prefix = u16::from(first);
        for &byte in rest {
            prefix = encoder.step(prefix, byte);
        }
        encoder.emit(prefix);
    }
    encoder.bits.put(END);
    encoder.bits.finish();
}

struct Encoder<'a> {
    bits: BitWriter<'a>,
    next: u16,
    table: Table,
}

impl Encoder<'_> {
    /// Takes one byte behind what `prefix` stands for; gives the code for both, or else for the byte.
    fn step(&mut self, prefix: u16, byte: u8) -> u16 {
        let slot = match self.table.find(prefix, byte) {
            Found::Code(code) => return code,
            Found::Free(slot) => slot,
        };
        if self.emit(prefix) {
            self.table.insert(slot, prefix, byte, self.next);
        }
        u16::from(byte)
    }

    /// Writes a code and counts it; false when that cleared the table.
    fn emit(&mut self, code: u16) -> bool {
        self.bits.put(code);
        self.next += 1;
        if u32::from(self.next) == 1 << self.bits.width {
            self.bits.width += 1;
        }
        if self.next < LAST {
            return true;
        }
        self.bits.put(CLEAR);
        self.bits.width = MIN_WIDTH;
        self.next = FIRST;
        self.table.clear();
        false
    }
}

/// Which code stands for a prefix and one more byte: a hash table of open addressing. Each slot is
/// prefix, byte and code in 12, 8 and 12 bits; 0 is free, as no code is 0.
struct Table {
    slots: [u32; Self::SLOTS],
}

enum Found {
    Code(u16),
    Free(usize),
}

impl Table {
    /// A power of two, about twice as many as there are codes.
    const SLOTS: usize = 8192;

    fn new() -> Self {
        Self { slots: [0; Self::SLOTS] }
    }

    fn find(&self, prefix: u16, byte: u8) -> Found {
        let key = Self::key(prefix, byte);
        let mut slot = (key.wrapping_mul(0x9e37_79b1) >> 19) as usize;
        loop {
            match self.slots.get(slot) {
                Some(0) => return Found::Free(slot),
                Some(&entry) if entry >> 12 == key => return Found::Code((entry & 0xfff) as u16),
                Some(_) | None => slot = (slot + 1) % Self::SLOTS,
            }
        }
    }

    fn insert(&mut self, slot: usize, prefix: u16, byte: u8, code: u16) {
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = Self::key(prefix, byte) << 12 | u32::from(code);
        }
    }

    fn clear(&mut self) {
        self.slots.fill(0);
    }

    const fn key(prefix: u16, byte: u8) -> u32 {
        (prefix as u32) << 8 | byte as u32
    }
}

struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u32,
    count: u32,
    width: u32,
}

impl<'a> BitWriter<'a> {
    const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, pending: 0, count: 0, width: MIN_WIDTH }
    }

    fn put(&mut self, code: u16) {
        self.pending |= u32::from(code) << self.count;
        self.count += self.width;
        while self.count >= 8 {
            self.out.push((self.pending & 0xff) as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn finish(self) {
        if self.count > 0 {
            self.out.push((self.pending & 0xff) as u8);
        }
    }
}

/// Appends what `input` stands for, at most `limit` bytes. Bytes behind the end code are ignored.
///
/// On an error, `out` keeps what had come out so far.
pub fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), LzwError> {
    let mut bits = BitReader { input: input.iter(), pending: 0, count: 0 };
    let mut decoder = Decoder::new(out, limit);
    loop {
        match bits.take(decoder.width)? {
            CLEAR => decoder.clear(),
            END => return Ok(()),
            code => decoder.expand(code)?,
        }
    }
}

struct Decoder<'a> {
    out: &'a mut Vec<u8>,
    /// How long `out` may become.
    end: usize,
    /// What each code stands for, as a place in `out` where it has come out before.
    strings: [Place; LAST as usize + 1],
    next: u16,
    width: u32,
    /// What came out last; `None` right after a clear.
    last: Option<Place>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    start: usize,
    length: usize,
}

impl<'a> Decoder<'a> {
    fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        let end = out.len().saturating_add(limit);
        let strings = [Place::default(); LAST as usize + 1];
        Self { out, end, strings, next: FIRST, width: MIN_WIDTH, last: None }
    }

    fn clear(&mut self) {
        self.next = FIRST;
        self.width = MIN_WIDTH;
        self.last = None;
    }

    fn expand(&mut self, code: u16) -> Result<(), LzwError> {
        let start = self.out.len();
        self.assign();
        match u8::try_from(code) {
            Ok(byte) => self.push(byte)?,
            Err(_) => self.repeat(code)?,
        }
        self.last = Some(Place { start, length: self.out.len() - start });
        self.count();
        Ok(())
    }

    /// The next free code stands for what came out last and the first byte of what comes now, which
    /// lies right behind it.
    fn assign(&mut self) {
        if let (Some(Place { start, length }), Some(place)) =
            (self.last, self.strings.get_mut(usize::from(self.next)))
        {
            *place = Place { start, length: length + 1 };
        }
    }

    fn repeat(&mut self, code: u16) -> Result<(), LzwError> {
        if code > self.next || (code == self.next && self.last.is_none()) {
            return Err(LzwError::UnknownCode);
        }
        let place = self.strings.get(usize::from(code)).ok_or(LzwError::UnknownCode)?;
        let (start, end) = (place.start, place.start + place.length);
        if place.length > self.end - self.out.len() {
            return Err(LzwError::TooLong);
        }
        // A code that has just been assigned ends with the byte that is about to come out: its first.
        let known = end.min(self.out.len());
        self.out.extend_from_within(start..known);
        if known < end {
            self.out.extend_from_within(start..=start);
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Result<(), LzwError> {
        if self.out.len() >= self.end {
            return Err(LzwError::TooLong);
        }
        self.out.push(byte);
        Ok(())
    }

    /// Counts the code as the encoder does; a full table stays as it is until it is cleared.
    fn count(&mut self) {
        if self.next > LAST {
            return;
        }
        self.next += 1;
        if u32::from(self.next) == 1 << self.width && self.width < MAX_WIDTH {
            self.width += 1;
        }
    }
}

struct BitReader<'a> {
    input: std::slice::Iter<'a, u8>,
    pending: u32,
    count: u32,
}

impl BitReader<'_> {
    fn take(&mut self, width: u32) -> Result<u16, LzwError> {
        while self.count < width {
            let byte = self.input.next().ok_or(LzwError::Truncated)?;
            self.pending |= u32::from(*byte) << self.count;
            self.count += 8;
        }
        let code = self.pending & ((1 << width) - 1);
        self.pending >>= width;
        self.count -= width;
        Ok((code & 0xfff) as u16)
    }
}
