use std::io::{self, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::exit::Failure;

/// Writes to stdout. A reader that has gone away has seen what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text).map(|_| ())
}

/// Whether somebody still reads stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    Gone,
}

/// Writes to stdout, and says whether there is anything to write for.
pub(crate) fn write(text: &str) -> Result<Reader, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if is_closed(&error) => Ok(Reader::Gone),
        Err(error) => Err(Failure::No(format!("can't write to stdout: {}", error.kind()))),
    }
}

/// Whether somebody still reads stdout, for who has nothing to write at the moment.
#[cfg(unix)]
pub(crate) fn reader() -> Reader {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    let asked = poll(&mut ends, Some(&Timespec::default()));
    let is_gone = asked.is_ok() && ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP);
    if is_gone { Reader::Gone } else { Reader::There }
}

#[cfg(not(unix))]
pub(crate) fn reader() -> Reader {
    Reader::There
}

/// Whether the reader of a pipe has gone away.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Why the system refused something, in words.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        kind => kind.to_string(),
    }
}

/// What to say when a new file could not be made.
pub(crate) fn not_made(name: &str, error: &io::Error) -> Failure {
    Failure::Input(match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{name} is there already; choose another place, or remove it")
        }
        _ => format!("can't write {name}: {}; choose another place", reason(error)),
    })
}

/// Text of a peer as it may stand in a terminal: what is not printable, and the backslash, appears
/// as in Rust literals.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\\' || !is_printable(character) {
            escaped.extend(character.escape_debug());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Text in which what peers chose is quoted and escaped already, as it may stand in a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            printable.push(character);
        } else {
            printable.extend(character.escape_debug());
        }
    }
    printable
}

/// Whether a text is of printable ASCII and line breaks alone, so that it may stand anywhere.
pub(crate) fn is_plain(text: &str) -> bool {
    // Without a way out within a piece, the compiler looks at many bytes at once.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    let all = |piece: &[u8]| piece.iter().fold(true, |all, byte| all & is_plain(*byte));
    text.as_bytes().chunks(1024).all(all)
}

/// Whether a character shows itself, and does nothing to the terminal or to the text around it.
fn is_printable(character: char) -> bool {
    matches!(character, '\\' | '"' | '\'') || character.escape_debug().len() == 1
}

/// JSON on several lines in which nothing but printable characters occurs, for terminals.
pub(crate) fn json(value: &impl Serialize) -> String {
    serialize(value, Printable(PrettyFormatter::new())) + "\n"
}

/// JSON on one line in which nothing but printable characters occurs.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    serialize(value, Printable(serde_json::ser::CompactFormatter)) + "\n"
}

fn serialize(value: &impl Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    value
        .serialize(&mut serializer)
        .expect("the types of this crate are JSON, and memory takes it");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Spells characters that are not printable as `\uXXXX`, which is the same to whoever parses it.
struct Printable<F>(F);

/// Hands what decides about layout on to the formatter inside.
macro_rules! hand_on {
    ($($method:ident($($argument:ident: $type:ty),*);)+) => {
        $(fn $method<W>(&mut self, writer: &mut W $(, $argument: $type)*) -> io::Result<()>
        where
            W: ?Sized + Write,
        {
            self.0.$method(writer $(, $argument)*)
        })+
    };
}

impl<F: Formatter> Formatter for Printable<F> {
    hand_on! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        // Nearly always it is that.
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        for character in fragment.chars() {
            if is_printable(character) {
                writer.write_all(character.encode_utf8(&mut [0; 4]).as_bytes())?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// Columns as wide as their widest cell, two spaces apart. Cells must be printable.
pub(crate) fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let widths = widths(header, rows);
    let lines = std::iter::once(header).chain(rows.iter().map(Vec::as_slice));
    lines.map(|cells| row(cells, &widths) + "\n").collect()
}

/// How wide the columns of a table are.
pub(crate) fn widths(header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths: Vec<_> = header.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    widths
}

/// One line of a table, without its end. Cells that are too wide push the others on.
pub(crate) fn row(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let widest = widths.get(column).copied().unwrap_or_default();
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', widest.saturating_sub(width(cell)) + 2));
    }
    line.truncate(line.trim_end().len());
    line
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// How many columns the terminal has that stdout is, if it is one.
pub(crate) fn columns() -> Option<usize> {
    let (columns, _) = io::stdout().is_terminal().then(ratatui::crossterm::terminal::size)?.ok()?;
    Some(columns.into())
}

/// A moment as RFC 3339 spells it, in UTC and to the second.
pub(crate) fn timestamp(moment: SystemTime) -> String {
    date_and_time(moment) + "Z"
}

/// The same to the millisecond.
pub(crate) fn timestamp_millis(moment: SystemTime) -> String {
    let millis = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_millis());
    format!("{}.{millis:03}Z", date_and_time(moment))
}

fn date_and_time(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day so many days after 1970-01-01. Counts in years that begin in March, so that
/// the leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    const FROM_MARCH_0000: u64 = 719_468;
    const FOUR_CENTURIES: u64 = 146_097;
    let days = days + FROM_MARCH_0000;
    let (era, day) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_could_move_a_cursor_or_turn_text_around_is_escaped() {
        let table = [
            ("web-1", "web-1"),
            ("zürich 北京", "zürich 北京"),
            ("it's \"quoted\"", "it's \"quoted\""),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\r\t\0", "a\\nb\\r\\t\\0"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("e\u{301}", "e\\u{301}"),
            ("back\\n", "back\\\\n"),
        ];
        for (text, expected) in table {
            assert_eq!(escape(text), expected, "{text:?}");
            assert_eq!(printable(expected), expected, "{text:?}");
            assert!(printable(text).chars().all(is_printable), "{text:?}");
        }
    }

    #[test]
    fn json_says_the_same_with_printable_characters_only() {
        let text = "a\u{1b}\u{9b}\u{202e}\u{e0001}\u{7f}\"\\'ü\n";
        for json in [json(&[text]), json_line(&[text])] {
            let ends = json.trim_end();
            assert!(ends.chars().all(|c| is_printable(c) || c == '\n'), "{json:?}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
        }
        assert_eq!(json_line(&text).lines().count(), 1);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let cells =
            |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [cells(&["a", "züri"]), cells(&["longer", ""])];
        let header = cells(&["NAME", "TAG"]);
        assert_eq!(table(&header, &rows), "NAME    TAG\na       züri\nlonger\n");
        assert_eq!(table(&header, &[]), "NAME  TAG\n");
        assert_eq!(row(&cells(&["too wide", "b"]), &[4, 3]), "too wide  b");
    }

    #[test]
    fn moments_are_spelled_as_the_calendar_has_them() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, expected) in table {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
        let moment = UNIX_EPOCH + Duration::from_millis(1_709_251_200_007);
        assert_eq!(timestamp_millis(moment), "2024-03-01T00:00:00.007Z");
    }
}
