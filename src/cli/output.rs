//! What goes to standard output and standard error, and in which form.
//!
//! A closed pipe is success (`arctic peers list | head -1`). Text that came over the network is
//! escaped before it reaches a terminal: a peer must not be called what moves somebody's cursor.

use super::fail::{Fail, Outcome};
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};

/// A result in both forms.
pub struct Report {
    /// The agent's own JSON.
    pub json: String,
    pub view: View,
}

/// A result for people.
pub enum View {
    Table(Table),
    /// One `Label: value` a line.
    Fields(Fields),
    /// The same, with those that stand for them in one row beside other agents: all would be too wide.
    Summed(Fields, Fields),
    Lines(Vec<String>),
}

pub type Fields = Vec<(&'static str, Cell)>;

pub struct Table {
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Paint {
    Good,
    Doubtful,
    Bad,
}

impl Cell {
    /// A text that may come from anywhere.
    pub fn new(text: impl AsRef<str>) -> Cell {
        Cell {
            text: clean(text.as_ref()),
            paint: None,
        }
    }

    /// A text that may be absent.
    pub fn or_dash(text: &str) -> Cell {
        Cell::new(if text.is_empty() { "-" } else { text })
    }

    pub fn yes_no(value: bool) -> Cell {
        Cell::new(if value { "Yes" } else { "No" })
    }

    /// The status of a peer, a service or a license, painted on a terminal.
    pub fn status(text: &str) -> Cell {
        let paint = match text {
            "alive" | "active" | "valid" | "ok" => Some(Paint::Good),
            "suspect" | "warning" | "grace" => Some(Paint::Doubtful),
            "unreachable" | "inactive" | "read_only" | "deactivated" => Some(Paint::Bad),
            _ => None,
        };
        Cell {
            paint,
            ..Cell::new(text)
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn painted(&self, colour: bool) -> String {
        match self.paint {
            Some(Paint::Good) if colour => format!("\x1b[32m{}\x1b[0m", self.text),
            Some(Paint::Doubtful) if colour => format!("\x1b[33m{}\x1b[0m", self.text),
            Some(Paint::Bad) if colour => format!("\x1b[31m{}\x1b[0m", self.text),
            _ => self.text.clone(),
        }
    }
}

impl View {
    pub fn table(head: &[&'static str], rows: Vec<Vec<Cell>>) -> View {
        View::Table(Table {
            head: head.to_vec(),
            rows,
        })
    }

    pub fn line(text: impl Into<String>) -> View {
        View::Lines(vec![text.into()])
    }

    pub fn render(&self, colour: bool) -> String {
        match self {
            View::Table(table) => table.render(colour),
            View::Fields(fields) | View::Summed(fields, _) => fields
                .iter()
                .map(|(label, cell)| format!("{label}: {}\n", cell.painted(colour)))
                .collect(),
            View::Lines(lines) => lines.iter().map(|l| format!("{}\n", clean(l))).collect(),
        }
    }

    /// As rows of a table, to stand side by side with those of other agents.
    pub fn into_table(self) -> Table {
        match self {
            View::Table(table) => table,
            View::Fields(fields) | View::Summed(_, fields) => Table {
                head: fields.iter().map(|(label, _)| *label).collect(),
                rows: vec![fields.into_iter().map(|(_, cell)| cell).collect()],
            },
            View::Lines(lines) => Table {
                head: vec!["RESULT"],
                rows: lines.iter().map(|l| vec![Cell::new(l)]).collect(),
            },
        }
    }
}

impl Table {
    pub fn render(&self, colour: bool) -> String {
        let head: Vec<Cell> = self
            .head
            .iter()
            .map(|h| Cell::new(h.to_uppercase()))
            .collect();
        let mut widths = vec![0; head.len()];
        for row in std::iter::once(&head).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let pad = width - cell.width() + 2;
                // Writing to a String cannot fail.
                let _ = write!(line, "{}{:pad$}", cell.painted(colour), "");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Escapes what would act on a terminal instead of being shown: control characters, line and
/// paragraph separators, marks that reverse the direction of writing.
pub fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match acts(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

/// Lays out JSON that parsed before: the agent's fields in the agent's order, two spaces a level.
/// What would act on a terminal is escaped; in valid JSON it can only stand inside a string.
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut letters = json.chars().filter(|c| !c.is_ascii_control()).peekable();
    while let Some(c) = letters.next() {
        if in_string {
            push_escaped(&mut out, c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' => {}
            '{' | '[' => {
                out.push(c);
                while letters.next_if_eq(&' ').is_some() {}
                if letters.next_if(|next| matches!(next, '}' | ']')).is_some() {
                    out.push(if c == '{' { '}' } else { ']' });
                } else {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out.push('\n');
    out
}

fn push_escaped(out: &mut String, c: char) {
    match acts(c) {
        // All of these are in the basic plane: four digits are enough. Writing to a String cannot fail.
        true => drop(write!(out, "\\u{:04x}", u32::from(c))),
        false => out.push(c),
    }
}

/// A value as compact JSON. Strings, numbers and maps with string keys always serialize.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Writes a result. A reader that has gone away got all it wanted.
pub fn print(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Fail::failed(format!("cannot write the result: {e}")))
        }
        _ => Ok(()),
    }
}

/// Writes a remark for people. Nobody is left to tell when standard error fails.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

pub fn show_failure(fail: &Fail) {
    let label = match colour_on(&std::io::stderr()) {
        true => "\x1b[31mError:\x1b[0m",
        false => "Error:",
    };
    note(&format!("{label} {}", clean(&fail.sentence)));
    if let Some(hint) = &fail.hint {
        note(&format!("Hint: {}", clean(hint)));
    }
}

/// Colour is for terminals whose owner did not refuse it (no-color.org).
pub fn colour_on(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
    stream.is_terminal() && !refused && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_align_and_do_not_trail() {
        let rows = vec![
            vec![Cell::new("äb"), Cell::status("alive")],
            vec![Cell::new("a-longer-one"), Cell::or_dash("")],
        ];
        let view = View::table(&["ID", "STATUS"], rows);
        assert_eq!(
            view.render(false),
            "ID            STATUS\näb            alive\na-longer-one  -\n"
        );
        assert!(view.render(true).contains("\x1b[32malive\x1b[0m"));
    }

    #[test]
    fn hostile_names_are_shown_not_obeyed() {
        let name = "a\x1b[2J\u{9b}1m\u{202e}\nb";
        assert_eq!(clean(name), "a\\u{1b}[2J\\u{9b}1m\\u{202e}\\nb");
        let json = pretty("{\"n\":\"\u{9b}\u{202e}\"}");
        assert_eq!(json, "{\n  \"n\": \"\\u009b\\u202e\"\n}\n");
    }

    #[test]
    fn json_keeps_its_order() {
        let text = r#"{"z":[],"a":[1,{"b":"x: {,}\"\\"}],"c":{ }}"#;
        let wanted = "{\n  \"z\": [],\n  \"a\": [\n    1,\n    {\n      \"b\": \"x: {,}\\\"\\\\\"\n    }\n  ],\n  \"c\": {}\n}\n";
        assert_eq!(pretty(text), wanted);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn pretty_changes_no_value(value in any_json()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                let shown = pretty(&text);
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&shown).unwrap(), &value);
                prop_assert!(!shown.chars().any(|c| acts(c) && c != '\n'));
            }
        }
    }
}
