//! MessagePack and LZW against what Go's own code computed.

use mingle_wire::lzw::{self, LzwError};
use mingle_wire::msgpack::{Dialect, Reader, Writer};
use serde_json::Value;

use crate::samples::{assert_complete, hex, vector};

/// What a description of the golden file means.
#[derive(Debug)]
enum Meaning {
    Unsigned(u64),
    Signed(i64),
    Text(usize),
    Bytes(Vec<u8>),
    Float(f64),
    Bool(bool),
    /// Structures and lists, which have no single method: written by hand.
    Other(fn(&mut Writer<'_>)),
}

#[test]
fn every_golden_value_is_read_from_all_four_spellings_and_written_as_the_common_one() {
    let golden: Vec<Value> = serde_json::from_slice(&vector("golden/msgpack-golden.json")).unwrap();
    assert!(golden.len() > 50);
    for entry in &golden {
        let description = entry["Desc"].as_str().unwrap();
        let meaning = meaning(description);
        let [new, new_rpc, old, old_rpc] =
            ["V2Old", "V2Ext", "V05Old", "V05Ext"].map(|name| spelled(&entry[name], description));
        for spelling in [&new, &new_rpc, &old, &old_rpc] {
            check_read(&meaning, spelling, description);
        }
        assert!(written(&meaning, Dialect::Raw) == ours(&old, &new), "{description}");
        assert!(written(&meaning, Dialect::StrBin) == ours(&old_rpc, &new_rpc), "{description}");
    }
}

/// Where the old codec wrote an empty value for nil on its own, we write nil as the new one does;
/// otherwise ours is the old one's spelling, with unsigned integers.
fn ours(old: &[u8], new: &[u8]) -> Vec<u8> {
    if new == [0xc0] { new.to_vec() } else { old.to_vec() }
}

/// The golden file shortens long values to their first 16 bytes and a count.
fn spelled(value: &Value, description: &str) -> Vec<u8> {
    let digits = value.as_str().expect("digits");
    let Some((head, _)) = digits.split_once("...") else { return hex(digits) };
    let mut bytes = hex(head);
    let length = description.rsplit(' ').next().and_then(|last| last.parse().ok());
    let length: usize = length.expect("a length");
    let marker = bytes.iter().take_while(|byte| **byte != b'x').count();
    bytes.truncate(marker);
    bytes.resize(marker + length, b'x');
    bytes
}

fn meaning(description: &str) -> Meaning {
    let last = description.rsplit(' ').next().unwrap_or_default();
    let count = || last.parse().expect("a length");
    match description {
        "Duration 2s (int64 ns)" => Meaning::Signed(2_000_000_000),
        "net.IP 4 bytes" => Meaning::Bytes(vec![127, 0, 0, 1]),
        "net.IP 16 bytes" => Meaning::Bytes(hex("00000000000000000000ffff7f000001")),
        "bool true" => Meaning::Bool(true),
        "bool false" => Meaning::Bool(false),
        "float64 1.5" => Meaning::Float(1.5),
        _ if description.starts_with("uint64") => {
            Meaning::Unsigned(last.parse().expect("a number"))
        }
        _ if description.starts_with("int64") => Meaning::Signed(last.parse().expect("a number")),
        _ if description.starts_with("string len") => Meaning::Text(count()),
        _ if description.starts_with("bytes len") => Meaning::Bytes(vec![b'x'; count()]),
        _ => Meaning::Other(by_hand(description)),
    }
}

fn by_hand(description: &str) -> fn(&mut Writer<'_>) {
    match description {
        "nil bytes" | "net.IP nil" | "[]string nil" | "map nil" | "nil pointer" => |w| {
            w.nil();
        },
        "[]string empty" => |w| {
            w.array(0);
        },
        "[]string 2" => |w| {
            w.array(2).str("a").str("b");
        },
        "[][]byte 2" => |w| {
            w.array(2).bytes(&[1]).bytes(&[2, 3]);
        },
        "map empty" => |w| {
            w.map(0);
        },
        "map 1" => |w| {
            w.map(1).str("k").str("v");
        },
        "map[string]uint64 1" => |w| {
            w.map(1).str("k").u64(7);
        },
        "[]float64" => |w| {
            w.array(2).f64(0.0).f64(-1.5);
        },
        "struct, omitempty unset, nil bytes" => |w| {
            w.map(3).str("A").u64(300).str("B").nil().str("Zed").str("z");
        },
        "struct, omitempty set" => |w| {
            w.map(6).str("A").u64(1).str("B").bytes(&[1]).str("Opt").bytes(&[9]);
            w.str("Opt2").u64(5).str("Opt3").str("q").str("Zed").str("z");
        },
        "struct pointer slice with nil" => |w| {
            w.array(2).nil().map(3).str("A").u64(1).str("B").nil().str("Zed").str("");
        },
        _ => |w| {
            w.map(3).str("IP").bytes(&[127, 0, 0, 1]).str("Port").u64(17946).str("Zone").str("");
        },
    }
}

fn check_read(meaning: &Meaning, spelling: &[u8], description: &str) {
    let mut reader = Reader::new(spelling);
    match meaning {
        Meaning::Unsigned(number) => assert_eq!(reader.u64(), Ok(*number), "{description}"),
        Meaning::Signed(number) => assert_eq!(reader.i64(), Ok(*number), "{description}"),
        Meaning::Text(length) => assert_eq!(reader.str(), Ok(&*"x".repeat(*length))),
        Meaning::Bytes(bytes) => assert_eq!(reader.bytes(), Ok(bytes.as_slice()), "{description}"),
        Meaning::Float(number) => assert_eq!(reader.f64(), Ok(*number), "{description}"),
        Meaning::Bool(value) => assert_eq!(reader.bool(), Ok(*value), "{description}"),
        Meaning::Other(_) => assert_eq!(reader.skip(), Ok(()), "{description}"),
    }
    assert!(reader.rest().is_empty(), "{description}");
}

fn written(meaning: &Meaning, dialect: Dialect) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::with_dialect(&mut out, dialect);
    match meaning {
        Meaning::Unsigned(number) => writer.u64(*number),
        Meaning::Signed(number) => writer.i64(*number),
        Meaning::Text(length) => writer.str(&"x".repeat(*length)),
        Meaning::Bytes(bytes) => writer.bytes(bytes),
        Meaning::Float(number) => writer.f64(*number),
        Meaning::Bool(value) => writer.bool(*value),
        Meaning::Other(write) => {
            write(&mut writer);
            &mut writer
        }
    };
    out
}

const LZW: [&str; 7] = ["aaaa", "bytes256", "empty", "mix18k", "one", "random20k", "text67k"];

#[test]
fn every_golden_text_compresses_to_the_same_bytes_and_back() {
    let files = LZW.iter().flat_map(|name| [format!("{name}.lzw"), format!("{name}.plain")]);
    let files: Vec<String> = files.collect();
    assert_complete("golden/lzw", files.iter().map(String::as_str));
    for name in LZW {
        let plain = vector(&format!("golden/lzw/{name}.plain"));
        let packed = vector(&format!("golden/lzw/{name}.lzw"));
        let mut out = Vec::new();
        lzw::compress(&plain, &mut out);
        assert!(out == packed, "{name}");
        let mut out = b"before".to_vec();
        assert_eq!(lzw::decompress(&packed, plain.len(), &mut out), Ok(()), "{name}");
        assert!(out[6..] == plain, "{name}");
    }
}

#[test]
fn a_golden_text_that_is_cut_off_anywhere_is_truncated() {
    let packed = vector("golden/lzw/bytes256.lzw");
    for length in 0..packed.len() {
        let result = lzw::decompress(&packed[..length], 1000, &mut Vec::new());
        assert_eq!(result, Err(LzwError::Truncated), "{length}");
    }
}

#[test]
fn a_text_may_be_as_long_as_the_limit_and_no_longer() {
    for name in LZW {
        let plain = vector(&format!("golden/lzw/{name}.plain"));
        let packed = vector(&format!("golden/lzw/{name}.lzw"));
        let Some(limit) = plain.len().checked_sub(1) else { continue };
        let mut out = Vec::new();
        assert_eq!(lzw::decompress(&packed, limit, &mut out), Err(LzwError::TooLong), "{name}");
        assert!(out.len() <= limit && plain.starts_with(&out), "{name}");
    }
}

/// Packs codes of nine bits from the lowest bit.
fn codes(codes: &[u64]) -> Vec<u8> {
    let bits = codes.iter().flat_map(|code| (0..9).map(move |bit| code >> bit & 1));
    let bits: Vec<u64> = bits.collect();
    let byte = |bits: &[u64]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    bits.chunks(8).map(|bits| u8::try_from(byte(bits)).expect("eight bits")).collect()
}

fn unpacked(packed: &[u64]) -> Result<Vec<u8>, LzwError> {
    let mut out = Vec::new();
    lzw::decompress(&codes(packed), 100, &mut out).map(|()| out)
}

#[test]
fn a_leading_clear_code_is_not_needed() {
    assert_eq!(unpacked(&[97, 98, 258, 257]), Ok(b"abab".to_vec()));
}

#[test]
fn a_code_may_stand_for_what_is_just_coming_out() {
    assert_eq!(unpacked(&[256, 97, 258, 259, 257]), Ok(b"aaaaaa".to_vec()));
}

#[test]
fn a_code_that_was_not_assigned_is_refused() {
    assert_eq!(unpacked(&[256, 258, 257]), Err(LzwError::UnknownCode));
    assert_eq!(unpacked(&[256, 97, 259, 257]), Err(LzwError::UnknownCode));
    assert_eq!(unpacked(&[256, 97, 98, 256, 258, 257]), Err(LzwError::UnknownCode));
}

#[test]
fn a_full_table_stays_as_it_is_without_a_clear_code() {
    // Literals only, in codes of growing width, long past the end of the table.
    let mut bits = Vec::new();
    let mut next = 257_u32;
    let mut width = 9;
    let mut put = |code: u32| {
        bits.extend((0..width).map(|bit| code >> bit & 1));
        next += 1;
        if next == 1 << width && width < 12 {
            width += 1;
        }
    };
    (0..5000).for_each(|number| put(number % 256));
    put(4095);
    put(257);
    let byte = |bits: &[u32]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    let packed: Vec<u8> = bits.chunks(8).map(|bits| u8::try_from(byte(bits)).unwrap()).collect();
    let mut out = Vec::new();
    assert_eq!(lzw::decompress(&packed, 10_000, &mut out), Ok(()));
    // Code 258 is the first pair of literals, so 4095 is the 3838th.
    assert_eq!(out[5000..], out[3837..3839]);
}
