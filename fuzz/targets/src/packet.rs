use mingle_wire::memberlist::{MAX_PART, MAX_PARTS, append_part, decode_message, messages};

/// Any bytes as the body of a packet.
///
/// Decoding ends; what decodes, encodes and decodes to the same value, alone and in a compound made
/// of it.
pub fn packet(body: &[u8]) {
    let mut spelled = Vec::new();
    let mut again = Vec::new();
    let mut count = 0;
    let mut iterator = messages(body);
    for message in &mut iterator {
        count += 1;
        let Ok(message) = message else { continue };
        spelled.clear();
        message.encode(&mut spelled);
        assert_eq!(decode_message(&spelled), Ok(message), "spelled as {spelled:02x?}");
        if spelled.len() <= MAX_PART {
            append_part(&mut again, &spelled);
        }
    }
    assert!(count <= MAX_PARTS, "{count} messages in {} bytes", body.len());
    assert_eq!(iterator.next(), None, "an iterator that has ended stays so");
    if again.is_empty() {
        return;
    }
    let short = |message: &_| encoded_length(message) <= MAX_PART;
    let expected = messages(body).flatten().filter(short).map(Ok);
    assert!(messages(&again).eq(expected), "a compound of {count} messages as {again:02x?}");
}

fn encoded_length(message: &mingle_wire::Message<'_>) -> usize {
    match message {
        mingle_wire::Message::User(payload) => payload.len() + 1,
        mingle_wire::Message::Ack(ack) => ack.payload.len() + 32,
        _ => 0,
    }
}
