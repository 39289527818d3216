use thiserror::Error;

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The bytes end inside a value.
    #[error("at least {needed} more bytes are needed")]
    Truncated {
        /// How many more bytes there must be at least. A claim of the peer: wait for it, but do not
        /// allocate by it.
        needed: usize,
    },
    /// The value is of another type than the field, or no MessagePack at all.
    #[error("the value has another type than its field")]
    Type,
    /// The number does not fit the field.
    #[error("the number does not fit its field")]
    Range,
    /// A text is not UTF-8. Go takes any bytes for text, but no honest node sends them.
    #[error("the text is not utf-8")]
    NotUtf8,
}

/// Reads values one after another from a slice, without copying.
///
/// A method that fails leaves the reader where the value begins, except [`Reader::structure`].
/// Nil reads as the zero value of what is asked for, as in Go (spec 1.2).
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads an integer of any width that is not negative.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, ReadError> {
        match self.integer()? {
            Integer::Unsigned(number) => Ok(number),
            Integer::Negative(_) => Err(ReadError::Range),
        }
    }

    /// Reads an integer of any width and sign.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, ReadError> {
        match self.integer()? {
            Integer::Unsigned(number) => i64::try_from(number).map_err(|_| ReadError::Range),
            Integer::Negative(number) => Ok(number),
        }
    }

    /// Reads an integer that fits 32 bits.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, ReadError> {
        self.u64()?.try_into().map_err(|_| ReadError::Range)
    }

    /// Reads an integer that fits 16 bits.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, ReadError> {
        self.u64()?.try_into().map_err(|_| ReadError::Range)
    }

    /// Reads an integer that fits 8 bits.
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        self.u64()?.try_into().map_err(|_| ReadError::Range)
    }

    /// Reads a truth value; the integers 0 and 1 are accepted for it.
    pub fn bool(&mut self) -> Result<bool, ReadError> {
        match self.token()? {
            Token::Bool(value) => Ok(value),
            Token::Nil | Token::Integer(Integer::Unsigned(0)) => Ok(false),
            Token::Integer(Integer::Unsigned(1)) => Ok(true),
            _ => Err(ReadError::Type),
        }
    }

    /// Reads a floating-point number; integers are accepted for it.
    #[expect(clippy::cast_precision_loss, reason = "what Go does with an integer there")]
    pub fn f64(&mut self) -> Result<f64, ReadError> {
        match self.token()? {
            Token::Float(value) => Ok(value),
            Token::Integer(Integer::Unsigned(number)) => Ok(number as f64),
            Token::Integer(Integer::Negative(number)) => Ok(number as f64),
            Token::Nil => Ok(0.0),
            _ => Err(ReadError::Type),
        }
    }

    /// Reads bytes in any spelling but an array of integers, which cannot be borrowed and which
    /// nobody sends; [`Reader::short`] reads that one too.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], ReadError> {
        // Nearly all names, keys and values on this wire are spelled like this.
        if let [marker @ 0xa0..=0xbf, rest @ ..] = self.rest
            && let Some((bytes, rest)) = rest.split_at_checked(usize::from(marker & 0x1f))
        {
            self.rest = rest;
            return Ok(bytes);
        }
        self.any_bytes()
    }

    fn any_bytes(&mut self) -> Result<&'a [u8], ReadError> {
        match self.token()? {
            Token::Bytes(bytes) => Ok(bytes),
            Token::Nil => Ok(&[]),
            _ => Err(ReadError::Type),
        }
    }

    /// Reads text in any spelling.
    #[inline]
    pub fn str(&mut self) -> Result<&'a str, ReadError> {
        str::from_utf8(self.bytes()?).map_err(|_| ReadError::NotUtf8)
    }

    /// Reads up to 16 bytes in any spelling, an array of integers too.
    pub fn short(&mut self) -> Result<Short, ReadError> {
        match self.token()? {
            Token::Bytes(bytes) => Ok(Short::from_bytes(bytes)),
            Token::Array(count) => self.short_array(count),
            Token::Nil => Ok(Short::from_bytes(&[])),
            _ => Err(ReadError::Type),
        }
    }

    /// Reads the head of an array: how many values follow. The number is a claim of the peer.
    pub fn array(&mut self) -> Result<u32, ReadError> {
        match self.token()? {
            Token::Array(count) => Ok(count),
            Token::Nil => Ok(0),
            _ => Err(ReadError::Type),
        }
    }

    /// Reads the head of a map: how many pairs follow. The number is a claim of the peer.
    pub fn map(&mut self) -> Result<u32, ReadError> {
        match self.token()? {
            Token::Map(count) => Ok(count),
            Token::Nil => Ok(0),
            _ => Err(ReadError::Type),
        }
    }

    /// Takes exactly these bytes, if they come next.
    #[inline]
    pub(crate) fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        if taken != expected {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// Takes that many bytes as they are, if there are as many.
    #[inline]
    pub(crate) fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    /// Takes a nil, if that is what comes next.
    pub fn nil(&mut self) -> bool {
        let [0xc0, rest @ ..] = self.rest else { return false };
        self.rest = rest;
        true
    }

    /// Reads a structure: a map, an array in the order of `fields`, or nil.
    ///
    /// Calls `read` with the name of each field that is there, at its value; `read` must read or
    /// skip it. Names that it does not know it must skip.
    pub fn structure<E: From<ReadError>>(
        &mut self,
        fields: &[&str],
        mut read: impl FnMut(&mut Self, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.token()? {
            Token::Map(count) => {
                for _ in 0..count {
                    let key = self.bytes()?;
                    read(self, key)?;
                }
                Ok(())
            }
            Token::Array(count) => {
                for index in 0..count as usize {
                    read(self, fields.get(index).map_or(&[], |name| name.as_bytes()))?;
                }
                Ok(())
            }
            Token::Nil => Ok(()),
            _ => Err(ReadError::Type.into()),
        }
    }

    /// Skips one value, whatever it is and however deep.
    pub fn skip(&mut self) -> Result<(), ReadError> {
        self.skip_many(1)
    }

    /// Skips that many values.
    pub fn skip_many(&mut self, mut values: u64) -> Result<(), ReadError> {
        let start = *self;
        self.resume_skip(&mut values).inspect_err(|_| *self = start)
    }

    /// Skips until `pending` values are behind, without recursion. When the bytes end before that,
    /// the reader and `pending` keep what is done, so that a stream can go on when more has come.
    pub fn resume_skip(&mut self, pending: &mut u64) -> Result<(), ReadError> {
        while *pending > 0 {
            let children = match self.token().map_err(|error| at_least(error, *pending))? {
                Token::Array(count) => u64::from(count),
                Token::Map(count) => 2 * u64::from(count),
                _ => 0,
            };
            *pending = (*pending - 1).saturating_add(children);
        }
        Ok(())
    }

    fn short_array(&mut self, count: u32) -> Result<Short, ReadError> {
        let mut short = Short::default();
        for _ in 0..count {
            short.push(self.u8()?);
        }
        Ok(short)
    }

    #[inline]
    fn integer(&mut self) -> Result<Integer, ReadError> {
        // Nearly every integer on this wire is one of these.
        let (number, rest) = match self.rest {
            [number @ 0..=0x7f, rest @ ..] => (u64::from(*number), rest),
            [0xcd, a, b, rest @ ..] => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            [0xce, a, b, c, d, rest @ ..] => {
                (u64::from(u32::from_be_bytes([*a, *b, *c, *d])), rest)
            }
            _ => return self.any_integer(),
        };
        self.rest = rest;
        Ok(Integer::Unsigned(number))
    }

    fn any_integer(&mut self) -> Result<Integer, ReadError> {
        match self.token()? {
            Token::Integer(integer) => Ok(integer),
            Token::Nil => Ok(Integer::Unsigned(0)),
            _ => Err(ReadError::Type),
        }
    }

    fn token(&mut self) -> Result<Token<'a>, ReadError> {
        let mut ahead = *self;
        let token = ahead.read_token()?;
        *self = ahead;
        Ok(token)
    }

    fn read_token(&mut self) -> Result<Token<'a>, ReadError> {
        let [marker] = self.take()?;
        Ok(match marker {
            0x00..=0x7f => Token::Integer(Integer::Unsigned(u64::from(marker))),
            0x80..=0x8f => Token::Map(u32::from(marker & 0x0f)),
            0x90..=0x9f => Token::Array(u32::from(marker & 0x0f)),
            0xa0..=0xbf => Token::Bytes(self.slice(usize::from(marker & 0x1f))?),
            0xc0 => Token::Nil,
            0xc1 => return Err(ReadError::Type),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 | 0xd9 => self.sized8()?,
            0xc5 | 0xda => self.sized16()?,
            0xc6 | 0xdb => self.sized32()?,
            0xc7 => self.extension(|reader| Ok(u32::from(u8::from_be_bytes(reader.take()?))))?,
            0xc8 => self.extension(|reader| Ok(u32::from(u16::from_be_bytes(reader.take()?))))?,
            0xc9 => self.extension(|reader| Ok(u32::from_be_bytes(reader.take()?)))?,
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.take()?))),
            0xcb => Token::Float(f64::from_be_bytes(self.take()?)),
            0xcc => Token::unsigned(u8::from_be_bytes(self.take()?)),
            0xcd => Token::unsigned(u16::from_be_bytes(self.take()?)),
            0xce => Token::unsigned(u32::from_be_bytes(self.take()?)),
            0xcf => Token::unsigned(u64::from_be_bytes(self.take()?)),
            0xd0 => Token::signed(i8::from_be_bytes(self.take()?)),
            0xd1 => Token::signed(i16::from_be_bytes(self.take()?)),
            0xd2 => Token::signed(i32::from_be_bytes(self.take()?)),
            0xd3 => Token::signed(i64::from_be_bytes(self.take()?)),
            0xd4..=0xd8 => self.extension(|_| Ok(1 << (marker - 0xd4)))?,
            0xdc => Token::Array(u32::from(u16::from_be_bytes(self.take()?))),
            0xdd => Token::Array(u32::from_be_bytes(self.take()?)),
            0xde => Token::Map(u32::from(u16::from_be_bytes(self.take()?))),
            0xdf => Token::Map(u32::from_be_bytes(self.take()?)),
            0xe0..=0xff => Token::signed(i8::from_be_bytes([marker])),
        })
    }

    fn sized8(&mut self) -> Result<Token<'a>, ReadError> {
        let length = u8::from_be_bytes(self.take()?);
        Ok(Token::Bytes(self.slice(usize::from(length))?))
    }

    fn sized16(&mut self) -> Result<Token<'a>, ReadError> {
        let length = u16::from_be_bytes(self.take()?);
        Ok(Token::Bytes(self.slice(usize::from(length))?))
    }

    fn sized32(&mut self) -> Result<Token<'a>, ReadError> {
        let length = u32::from_be_bytes(self.take()?);
        Ok(Token::Bytes(self.slice(length as usize)?))
    }

    /// An extension is its length, one byte of type and the content. Nobody sends one; it is skipped.
    fn extension(
        &mut self,
        length: impl FnOnce(&mut Self) -> Result<u32, ReadError>,
    ) -> Result<Token<'a>, ReadError> {
        let length = length(self)?;
        self.slice((length as usize).saturating_add(1))?;
        Ok(Token::Extension)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(ReadError::Truncated { needed: N - self.rest.len() });
        };
        self.rest = rest;
        Ok(*taken)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(ReadError::Truncated { needed: length - self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }
}

/// Up to 16 bytes by value: an IP address or version bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Short {
    length: usize,
    bytes: [u8; Self::MAX],
}

impl Short {
    /// How many bytes are kept.
    pub const MAX: usize = 16;

    /// The bytes, or `None` when the peer sent more than [`Short::MAX`].
    #[must_use]
    pub fn as_slice(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length)
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut short = Self { length: bytes.len(), ..Self::default() };
        if let Some(kept) = short.bytes.get_mut(..bytes.len()) {
            kept.copy_from_slice(bytes);
        }
        short
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
    }
}

enum Token<'a> {
    Nil,
    Bool(bool),
    Integer(Integer),
    Float(f64),
    Bytes(&'a [u8]),
    Array(u32),
    Map(u32),
    Extension,
}

enum Integer {
    Unsigned(u64),
    Negative(i64),
}

impl Token<'_> {
    fn unsigned(number: impl Into<u64>) -> Self {
        Self::Integer(Integer::Unsigned(number.into()))
    }

    fn signed(number: impl Into<i64>) -> Self {
        let number = number.into();
        let integer = u64::try_from(number).map_or(Integer::Negative(number), Integer::Unsigned);
        Self::Integer(integer)
    }
}

/// Each value that is still to come has at least one byte.
fn at_least(error: ReadError, pending: u64) -> ReadError {
    let ReadError::Truncated { needed } = error else { return error };
    let others = usize::try_from(pending - 1).unwrap_or(usize::MAX);
    ReadError::Truncated { needed: needed.saturating_add(others) }
}
