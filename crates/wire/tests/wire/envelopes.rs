//! Labels, keys and keyrings.

use mingle_wire::{
    Checksum, Envelope, EnvelopeError, Key, KeyError, Keyring, Label, MAX_LABEL, OpenError, Opened,
    Scratch,
};

use crate::samples::{bare, encrypting, k16, k24, k32, labelled, second_key, vector};

fn seal(envelope: &Envelope, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    envelope.seal_packet(body, Checksum::Omit, [5; 12], &mut Scratch::default(), &mut out);
    out
}

fn open(envelope: &Envelope, datagram: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut found = Vec::new();
    let deliver = |body: &[u8]| found.extend_from_slice(body);
    let opened = envelope.open_packet(datagram, &mut Scratch::default(), deliver)?;
    assert_eq!(opened, Opened::default());
    Ok(found)
}

#[test]
fn a_label_must_be_ours() {
    let ours = seal(&labelled(bare()), b"\x08x");
    assert_eq!(open(&labelled(bare()), &ours), Ok(b"\x08x".to_vec()));
    assert_eq!(open(&bare(), &ours), Err(OpenError::LabelMismatch));
    assert_eq!(open(&labelled(bare()), b"\x08x"), Err(OpenError::LabelMismatch));
    let other = Envelope { label: Label::new("lbl-tesu").unwrap(), ..bare() };
    assert_eq!(open(&other, &ours), Err(OpenError::LabelMismatch));
}

#[test]
fn a_malformed_label_is_refused() {
    for datagram in [b"\xf4".as_slice(), b"\xf4\x00\x08x", b"\xf4\x05lbl", b"\xf4\xff"] {
        assert_eq!(open(&bare(), datagram), Err(OpenError::LabelMalformed));
    }
}

#[test]
fn a_label_that_a_proxy_has_stripped_is_assumed() {
    let proxied = |envelope| Envelope { skip_inbound_label_check: true, ..labelled(envelope) };
    for envelope in [bare(), encrypting(vec![k32()])] {
        let datagram = seal(&labelled(envelope.clone()), b"\x08x");
        let stripped = &datagram[2 + "lbl-test".len()..];
        assert_eq!(open(&proxied(envelope.clone()), stripped), Ok(b"\x08x".to_vec()));
        assert_eq!(open(&proxied(envelope), &datagram), Err(OpenError::LabelUnexpected));
    }
}

#[test]
fn a_label_has_at_most_255_bytes() {
    assert!(Label::new(vec![b'x'; MAX_LABEL]).is_ok());
    let error = EnvelopeError::LabelTooLong { length: MAX_LABEL + 1 };
    assert_eq!(Label::new(vec![b'x'; MAX_LABEL + 1]), Err(error));
}

#[test]
fn every_key_of_the_ring_opens_and_others_do_not() {
    for key in [k16(), k24(), k32()] {
        let datagram = seal(&encrypting(vec![key.clone()]), b"\x08x");
        let ring = vec![second_key(), key];
        assert_eq!(open(&encrypting(ring), &datagram), Ok(b"\x08x".to_vec()));
        assert_eq!(open(&encrypting(vec![second_key()]), &datagram), Err(OpenError::Decrypt));
    }
}

#[test]
fn the_label_is_authenticated() {
    let mut datagram = seal(&labelled(encrypting(vec![k16()])), b"\x08x");
    datagram[2] = b'L';
    let other = Envelope { label: Label::new("Lbl-test").unwrap(), ..encrypting(vec![k16()]) };
    assert_eq!(open(&other, &datagram), Err(OpenError::Decrypt));
}

#[test]
fn plaintext_and_a_wrong_key_are_told_apart() {
    let envelope = encrypting(vec![second_key()]);
    for plain in ["ping.bin", "indirect-ping.bin", "nack.bin", "crc-alive.bin"] {
        let datagram = vector(&format!("packet/{plain}"));
        assert_eq!(open(&envelope, &datagram), Err(OpenError::NotEncrypted), "{plain}");
    }
    for sealed in ["enc32-v1-ping.bin", "enc16-v0-ping.bin", "enc16-v1-crc-compound.bin"] {
        let datagram = vector(&format!("packet/{sealed}"));
        assert_eq!(open(&envelope, &datagram), Err(OpenError::Decrypt), "{sealed}");
    }
}

#[test]
fn encryption_can_be_rolled_in() {
    let receiving = Envelope { verify_incoming: false, ..encrypting(vec![k16()]) };
    let silent = Envelope { verify_outgoing: false, ..receiving.clone() };
    assert_eq!(open(&receiving, b"\x08x"), Ok(b"\x08x".to_vec()));
    assert_eq!(seal(&silent, b"\x08x"), b"\x08x");
    let sealed = seal(&receiving, b"\x08x");
    assert_eq!(open(&silent, &sealed), Ok(b"\x08x".to_vec()));
}

#[test]
fn the_overhead_is_what_sealing_adds_at_most() {
    for (envelope, expected) in [
        (bare(), 0),
        (labelled(bare()), 10),
        (encrypting(vec![k16()]), 29),
        (labelled(encrypting(vec![k16()])), 39),
    ] {
        assert_eq!(envelope.overhead(), expected);
        assert_eq!(seal(&envelope, b"\x08x").len(), 2 + expected);
    }
}

#[test]
fn what_does_not_get_shorter_is_not_compressed() {
    let envelope = Envelope { compress: true, ..bare() };
    assert_eq!(seal(&envelope, b"\x08x"), b"\x08x");
    let repetitive = [8; 500];
    let sealed = seal(&envelope, &repetitive);
    assert!(sealed.len() < 100 && sealed[0] == 9);
    assert_eq!(open(&bare(), &sealed), Ok(repetitive.to_vec()));
}

#[test]
fn a_packet_is_appended_to_what_is_there() {
    let mut out = b"before".to_vec();
    let envelope = encrypting(vec![k16()]);
    envelope.seal_packet(b"\x08x", Checksum::Add, [5; 12], &mut Scratch::default(), &mut out);
    assert_eq!(open(&envelope, out.strip_prefix(b"before").unwrap()), Ok(b"\x08x".to_vec()));
}

#[test]
fn keys_have_16_24_or_32_bytes() {
    for length in 0..64 {
        let key = Key::from_bytes(&vec![1; length]);
        if let 16 | 24 | 32 = length {
            assert_eq!(key.unwrap().as_bytes(), vec![1; length]);
        } else {
            assert_eq!(key, Err(KeyError::Length(length)));
        }
    }
}

#[test]
fn a_key_shows_only_its_fingerprint() {
    let shown = format!("{:?}", k16());
    assert_eq!(shown, format!("Key({:08x})", k16().fingerprint()));
    assert_ne!(k16().fingerprint(), k32().fingerprint());
    assert_eq!(shown.len(), "Key(00000000)".len());
}

#[test]
fn the_first_key_is_primary_and_others_can_become_it() {
    let mut ring = Keyring::default();
    assert!(ring.is_empty() && ring.primary().is_none());
    for key in [k16(), k24(), k32(), k24()] {
        ring.add(key).unwrap();
    }
    assert_eq!(ring, Keyring::new(vec![k16(), k24(), k32(), k16()]));
    ring.use_key(&k32()).unwrap();
    assert_eq!(ring.iter().cloned().collect::<Vec<_>>(), [k32(), k16(), k24()]);
    assert_eq!(ring.use_key(&second_key()), Err(KeyError::NotInRing));
}

#[test]
fn the_primary_key_stays() {
    let mut ring = Keyring::new(vec![k16(), k32()]);
    assert_eq!(ring.remove(&k16()), Err(KeyError::PrimaryRemoved));
    assert_eq!(ring.remove(&second_key()), Ok(()));
    assert_eq!(ring.remove(&k32()), Ok(()));
    assert_eq!(ring, Keyring::new(vec![k16()]));
}

#[test]
fn peers_cannot_fill_the_ring_without_end() {
    let mut ring = Keyring::default();
    for number in 0..64 {
        ring.add(Key::from_bytes(&[number; 16]).unwrap()).unwrap();
    }
    assert_eq!(ring.add(k16()), Err(KeyError::TooMany));
    assert_eq!(ring.add(Key::from_bytes(&[3; 16]).unwrap()), Ok(()));
}

#[test]
fn every_reason_has_its_place_and_a_name_of_its_own() {
    let mut names: Vec<_> = OpenError::ALL.iter().map(|reason| reason.as_str()).collect();
    for (index, reason) in OpenError::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), OpenError::ALL.len());
}
