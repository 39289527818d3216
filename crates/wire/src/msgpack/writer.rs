/// How strings and bytes are spelled (spec 1.1 and 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The old one, for gossip: strings and bytes alike, never str8, never bin.
    Raw,
    /// The newer one, for the agent's RPC: str and bin.
    StrBin,
}

/// Appends values to a buffer.
///
/// Lengths above 2^32 - 1 have no spelling; writing one is a bug of the caller and panics.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    dialect: Dialect,
}

impl<'a> Writer<'a> {
    /// Writes the dialect of gossip to the end of `out`.
    #[must_use]
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self::with_dialect(out, Dialect::Raw)
    }

    /// Writes the given dialect to the end of `out`.
    #[must_use]
    pub const fn with_dialect(out: &'a mut Vec<u8>, dialect: Dialect) -> Self {
        Self { out, dialect }
    }

    /// Makes room for so many bytes at once.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// Writes nil.
    pub fn nil(&mut self) -> &mut Self {
        self.raw(&[0xc0])
    }

    /// Writes a truth value.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(&[0xc2 | u8::from(value)])
    }

    /// Writes an integer in its shortest unsigned form.
    pub fn u64(&mut self, number: u64) -> &mut Self {
        if let Ok(number) = u8::try_from(number) {
            if number > 0x7f {
                self.raw(&[0xcc]);
            }
            self.raw(&[number])
        } else if let Ok(number) = u16::try_from(number) {
            self.raw(&[0xcd]).raw(&number.to_be_bytes())
        } else if let Ok(number) = u32::try_from(number) {
            self.raw(&[0xce]).raw(&number.to_be_bytes())
        } else {
            self.raw(&[0xcf]).raw(&number.to_be_bytes())
        }
    }

    /// Writes an integer in its shortest form, unsigned unless it is negative.
    pub fn i64(&mut self, number: i64) -> &mut Self {
        if let Ok(number) = u64::try_from(number) {
            self.u64(number)
        } else if number >= -32 {
            self.raw(&number.to_be_bytes()[7..])
        } else if let Ok(number) = i8::try_from(number) {
            self.raw(&[0xd0]).raw(&number.to_be_bytes())
        } else if let Ok(number) = i16::try_from(number) {
            self.raw(&[0xd1]).raw(&number.to_be_bytes())
        } else if let Ok(number) = i32::try_from(number) {
            self.raw(&[0xd2]).raw(&number.to_be_bytes())
        } else {
            self.raw(&[0xd3]).raw(&number.to_be_bytes())
        }
    }

    /// Writes a floating-point number of 64 bits.
    pub fn f64(&mut self, number: f64) -> &mut Self {
        self.raw(&[0xcb]).raw(&number.to_be_bytes())
    }

    /// Writes text.
    pub fn str(&mut self, text: &str) -> &mut Self {
        let str8 = match self.dialect {
            Dialect::Raw => None,
            Dialect::StrBin => Some(0xd9),
        };
        let fixed = Some((0xa0, 32));
        self.head(text.len(), Heads { fixed, byte: str8, word: 0xda, long: 0xdb });
        self.raw(text.as_bytes())
    }

    /// Writes bytes; none at all are an empty value, not nil.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes_head(bytes.len()).raw(bytes)
    }

    /// Writes bytes, and nil when there are none.
    pub fn bytes_or_nil(&mut self, bytes: &[u8]) -> &mut Self {
        if bytes.is_empty() { self.nil() } else { self.bytes(bytes) }
    }

    /// Writes the head of bytes; as many must follow.
    pub fn bytes_head(&mut self, length: usize) -> &mut Self {
        let heads = match self.dialect {
            Dialect::Raw => Heads { fixed: Some((0xa0, 32)), byte: None, word: 0xda, long: 0xdb },
            Dialect::StrBin => Heads { fixed: None, byte: Some(0xc4), word: 0xc5, long: 0xc6 },
        };
        self.head(length, heads)
    }

    /// Writes the head of an array; as many values must follow.
    pub fn array(&mut self, values: usize) -> &mut Self {
        self.head(values, Heads { fixed: Some((0x90, 16)), byte: None, word: 0xdc, long: 0xdd })
    }

    /// Writes the head of a map; as many pairs must follow.
    pub fn map(&mut self, pairs: usize) -> &mut Self {
        self.head(pairs, Heads { fixed: Some((0x80, 16)), byte: None, word: 0xde, long: 0xdf })
    }

    /// Appends bytes as they are: a value that has been spelled already.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    fn head(&mut self, length: usize, heads: Heads) -> &mut Self {
        match (heads.fixed, heads.byte) {
            (Some((marker, limit)), _) if length < limit => {
                self.raw(&[marker | u8::try_from(length).expect("below 32")])
            }
            (_, Some(marker)) if length <= 0xff => {
                self.raw(&[marker, u8::try_from(length).expect("below 256")])
            }
            _ => self.long_head(length, heads),
        }
    }

    fn long_head(&mut self, length: usize, heads: Heads) -> &mut Self {
        if let Ok(length) = u16::try_from(length) {
            return self.raw(&[heads.word]).raw(&length.to_be_bytes());
        }
        let length = u32::try_from(length).expect("no value has 4 GiB");
        self.raw(&[heads.long]).raw(&length.to_be_bytes())
    }
}

/// The markers of one family, by the width of the length.
#[derive(Clone, Copy)]
struct Heads {
    fixed: Option<(u8, usize)>,
    byte: Option<u8>,
    word: u8,
    long: u8,
}
