use std::sync::LazyLock;

use mingle_wire::{EncryptionVersion, Envelope, Key, Keyring, Label};

/// One of each kind of settings. The keys are those of `crates/wire/vectors`.
static ENVELOPES: LazyLock<[Envelope; 10]> = LazyLock::new(|| {
    let bare = Envelope { compress: false, ..Envelope::default() };
    let labelled = Envelope { label: label(), ..bare.clone() };
    let keyed = |keys: &[Key]| Envelope { keyring: Keyring::new(keys.to_vec()), ..bare.clone() };
    let (k16, k24, k32, second) = (key(0..16), key(0..24), key(0..32), key(0x20..0x40));
    let v0 = EncryptionVersion::V0;
    [
        bare.clone(),
        Envelope::default(),
        labelled.clone(),
        keyed(std::slice::from_ref(&k16)),
        Envelope { encryption_version: v0, ..keyed(&[k24]) },
        Envelope { compress: true, label: label(), ..keyed(&[k32.clone(), second]) },
        Envelope { encryption_version: v0, label: label(), ..keyed(std::slice::from_ref(&k16)) },
        Envelope { verify_incoming: false, ..keyed(std::slice::from_ref(&k16)) },
        Envelope { verify_outgoing: false, verify_incoming: false, ..keyed(&[k32, k16]) },
        Envelope { skip_inbound_label_check: true, ..labelled },
    ]
});

/// The envelope that a byte stands for.
pub(crate) fn choose(byte: u8) -> &'static Envelope {
    &ENVELOPES[usize::from(byte) % ENVELOPES.len()]
}

fn label() -> Label {
    Label::new("lbl-test").expect("short")
}

fn key(bytes: std::ops::Range<u8>) -> Key {
    Key::from_bytes(&bytes.collect::<Vec<_>>()).expect("16, 24 or 32 bytes")
}
