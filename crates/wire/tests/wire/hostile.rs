//! Bytes that are meant to harm. The first four crashed another gossip implementation with one
//! datagram each.

use mingle_wire::memberlist::{decode_message, messages};
use mingle_wire::{
    Checksum, DecodeError, EncryptionVersion, Envelope, MAX_DEPTH, MAX_PACKET_DECOMPRESSED,
    OpenError, Opened, Scratch, lzw, msgpack::Writer,
};

use crate::samples::{bare, encrypting, k16};

fn open(envelope: &Envelope, datagram: &[u8]) -> Result<(Opened, Vec<Vec<u8>>), OpenError> {
    let mut bodies = Vec::new();
    let opened = envelope
        .open_packet(datagram, &mut Scratch::default(), |body| bodies.push(body.to_vec()))?;
    Ok((opened, bodies))
}

fn sealed(version: EncryptionVersion, body: &[u8]) -> Vec<u8> {
    let envelope = Envelope { encryption_version: version, ..encrypting(vec![k16()]) };
    let mut out = Vec::new();
    envelope.seal_packet(body, Checksum::Omit, [9; 12], &mut Scratch::default(), &mut out);
    out
}

#[test]
fn an_unknown_cipher_byte_is_refused() {
    let mut datagram = sealed(EncryptionVersion::V1, b"\x08x");
    for version in 14..=255 {
        if version == 244 {
            continue;
        }
        datagram[0] = version;
        let result = open(&encrypting(vec![k16()]), &datagram);
        assert_eq!(result, Err(OpenError::VersionUnsupported), "{version}");
    }
}

#[test]
fn an_encrypted_body_that_is_not_whole_blocks_is_refused() {
    // The version byte is not authenticated: an unpadded message can claim to be padded.
    for length in 16..64 {
        let mut datagram = sealed(EncryptionVersion::V1, &vec![8; length]);
        datagram[0] = 0;
        let result = open(&encrypting(vec![k16()]), &datagram);
        // Only here the last eight bytes look like padding.
        let padded = length % 16 == 0;
        assert_eq!(result.is_ok(), padded, "{length}");
        assert!(padded || result == Err(OpenError::Padding), "{length}");
    }
}

#[test]
fn wrong_padding_is_refused() {
    for last in [0, 2, 17, 255] {
        let mut body = [1; 32];
        body[31] = last;
        let mut datagram = sealed(EncryptionVersion::V1, &body);
        datagram[0] = 0;
        let result = open(&encrypting(vec![k16()]), &datagram);
        assert_eq!(result, Err(OpenError::Padding), "{last}");
    }
}

#[test]
fn an_empty_encrypted_body_is_refused() {
    for version in [EncryptionVersion::V0, EncryptionVersion::V1] {
        let datagram = sealed(version, b"");
        assert_eq!(open(&encrypting(vec![k16()]), &datagram), Err(OpenError::Empty));
    }
}

#[test]
fn an_encrypted_packet_that_is_too_short_is_refused() {
    let envelope = encrypting(vec![k16()]);
    for version in [EncryptionVersion::V0, EncryptionVersion::V1] {
        let datagram = sealed(version, b"\x08x");
        for length in 1..version.overhead() {
            let result = open(&envelope, &datagram[..length]);
            assert_eq!(result, Err(OpenError::TooShort), "{version:?} {length}");
        }
    }
    assert_eq!(open(&envelope, b""), Err(OpenError::Empty));
}

#[test]
fn unequal_numbers_of_keys_and_values_are_refused() {
    // A map of two pairs with three values, and one whose values run into the next field.
    assert_eq!(decode_message(b"\x00\x82\xa5SeqNo\x05\xa4Node"), Err(DecodeError::Truncated));
    assert_eq!(decode_message(b"\x00\x82\xa5SeqNo\xa4Node\x05"), Err(DecodeError::Malformed));
    assert_eq!(decode_message(b"\x00\x81\xa5SeqNo"), Err(DecodeError::Truncated));
}

#[test]
fn lengths_that_are_only_claimed_are_truncated() {
    for claim in [
        b"\x00\xdf\xff\xff\xff\xff".as_slice(),
        b"\x00\xdd\xff\xff\xff\xff",
        b"\x00\x81\xdb\xff\xff\xff\xff",
        b"\x00\x81\xa4Node\xc6\xff\xff\xff\xff",
        b"\x00\x81\xa1x\xdf\xff\xff\xff\xff",
        b"\x00\x81\xa1x\xc9\xff\xff\xff\xff",
    ] {
        assert_eq!(decode_message(claim), Err(DecodeError::Truncated), "{claim:x?}");
    }
}

#[test]
fn deep_nesting_in_an_unknown_field_costs_no_stack() {
    for marker in [0x91, 0x81] {
        let mut body = b"\x00\x82\xa1x".to_vec();
        body.resize(body.len() + 60_000, marker);
        assert_eq!(decode_message(&body), Err(DecodeError::Truncated));
    }
    let mut body = b"\x00\x82\xa1x".to_vec();
    body.resize(body.len() + 60_000, 0x91);
    body.extend_from_slice(b"\x00\xa5SeqNo\x05");
    assert!(decode_message(&body).is_ok());
}

/// A compressed message of our making, even of what we would not send.
fn packed(message: &[u8]) -> Vec<u8> {
    let mut buffer = Vec::new();
    lzw::compress(message, &mut buffer);
    let mut out = vec![9];
    Writer::new(&mut out).map(2).str("Algo").u64(0).str("Buf").bytes(&buffer);
    out
}

fn compound(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    mingle_wire::memberlist::write_packet(parts.iter().copied(), &mut out);
    out
}

#[test]
fn a_decompression_bomb_is_refused_at_the_budget() {
    let bomb = packed(&vec![8; MAX_PACKET_DECOMPRESSED + 1]);
    assert!(bomb.len() < 1400);
    assert_eq!(open(&bare(), &bomb), Err(OpenError::DecompressedTooLong));
    let large = packed(&vec![8; MAX_PACKET_DECOMPRESSED]);
    assert_eq!(open(&bare(), &large).unwrap().1[0].len(), MAX_PACKET_DECOMPRESSED);
}

#[test]
fn many_bombs_in_one_packet_share_the_budget() {
    let half = packed(&vec![8; MAX_PACKET_DECOMPRESSED / 2]);
    let (opened, bodies) = open(&bare(), &compound(&[&half, &half, &half, b"\x08x"])).unwrap();
    let expected = Opened { refused: 1, reason: Some(OpenError::DecompressedTooLong) };
    assert_eq!((opened, bodies.len()), (expected, 3));
}

#[test]
fn a_bomb_that_is_refused_has_used_its_budget() {
    let over = packed(&vec![8; MAX_PACKET_DECOMPRESSED + 1]);
    let (opened, bodies) = open(&bare(), &compound(&[&over, &packed(b"\x08x"), b"\x08y"])).unwrap();
    assert_eq!((opened.refused, bodies), (2, vec![b"\x08y".to_vec()]));
}

#[test]
fn of_many_small_compressed_parts_only_as_many_as_the_budget_pays_for_are_tried() {
    let small = packed(b"\x08x");
    let (opened, bodies) = open(&bare(), &compound(&vec![small.as_slice(); 255])).unwrap();
    let most = MAX_PACKET_DECOMPRESSED / 1024;
    assert_eq!((bodies.len(), opened.refused as usize), (most, 255 - most));
    assert_eq!(opened.reason, Some(OpenError::DecompressedTooLong));
}

#[test]
fn compression_may_be_four_deep_and_no_deeper() {
    let mut message = b"\x08x".to_vec();
    for _ in 0..MAX_DEPTH {
        message = packed(&message);
        assert_eq!(open(&bare(), &message).unwrap().1, [b"\x08x"]);
    }
    assert_eq!(open(&bare(), &packed(&message)), Err(OpenError::TooDeep));
}

#[test]
fn compounds_may_be_four_deep_around_the_innermost_and_no_deeper() {
    let mut message = compound(&[b"\x08a", b"\x08b"]);
    for depth in 1..=MAX_DEPTH {
        message = compound(&[b"\x08c", &message]);
        let (opened, bodies) = open(&bare(), &message).unwrap();
        assert_eq!((opened, bodies.len()), (Opened::default(), depth + 1));
    }
    let (opened, bodies) = open(&bare(), &compound(&[b"\x08c", &message])).unwrap();
    let expected = Opened { refused: 1, reason: Some(OpenError::TooDeep) };
    assert_eq!((opened, bodies.len()), (expected, MAX_DEPTH));
}

#[test]
fn compounds_and_compression_mix_and_what_is_damaged_leaves_the_others() {
    let inner = compound(&[b"\x08a", b"\x08b"]);
    let damaged = b"\x09\x82\xa4Algo\x00\xa3Buf\xa1\x00";
    let unknown = b"\x09\x82\xa4Algo\x01\xa3Buf\xa1\x00";
    let parts: [&[u8]; 6] = [&packed(&inner), damaged, unknown, b"", &packed(b""), b"\x08c"];
    let (opened, bodies) = open(&bare(), &packed(&compound(&parts))).unwrap();
    assert_eq!(bodies, [inner, b"\x08c".to_vec()]);
    assert_eq!(opened, Opened { refused: 4, reason: Some(OpenError::Decompress) });
}

#[test]
fn a_compound_with_nested_parts_that_is_cut_off_keeps_its_earlier_parts() {
    let mut message = compound(&[&packed(b"\x08a"), b"\x08b", b"\x08c", b"\x08d"]);
    message.truncate(message.len() - 3);
    let (opened, bodies) = open(&bare(), &message).unwrap();
    assert_eq!(bodies, [b"\x08a", b"\x08b"]);
    assert_eq!(opened, Opened { refused: 2, reason: Some(OpenError::Truncated) });
}

#[test]
fn a_plain_compound_that_is_cut_off_is_handed_on_whole() {
    let message = b"\x07\x02\x00\x02\x00\x02\x08a\x08".to_vec();
    let (opened, bodies) = open(&bare(), &message).unwrap();
    assert_eq!((opened, bodies.len()), (Opened::default(), 1));
    let read: Vec<_> = messages(&bodies[0]).collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1], Err(DecodeError::Truncated));
}

#[test]
fn a_checksum_is_honoured_once_and_only_outermost() {
    let seal = |body: &[u8]| {
        let mut out = Vec::new();
        bare().seal_packet(body, Checksum::Add, [0; 12], &mut Scratch::default(), &mut out);
        out
    };
    let once = seal(b"\x08x");
    assert_eq!(open(&bare(), &once).unwrap().1, [b"\x08x"]);
    let (_, bodies) = open(&bare(), &seal(&once)).unwrap();
    let refused = [Err(DecodeError::UnsupportedType)];
    assert_eq!(messages(&bodies[0]).collect::<Vec<_>>(), refused);
    let mut wrong = once;
    wrong[6] ^= 1;
    assert_eq!(open(&bare(), &wrong), Err(OpenError::Checksum));
    assert_eq!(open(&bare(), b"\x0c123"), Err(OpenError::Checksum));
    assert_eq!(open(&bare(), &seal(b"")), Err(OpenError::Empty));
}
