//! Rust source as `tidy` reads it: code apart from comments, strings and tests.

use std::path::{Path, PathBuf};

/// One file.
pub struct Source {
    /// Below the directory that was read, with `/` between its parts.
    pub path: String,
    text: Vec<String>,
    /// The same lines without comments, without the insides of strings, and empty where tests are.
    code: Vec<String>,
    /// The insides of strings, line by line.
    strings: Vec<String>,
}

/// All Rust files below a directory of the repository.
pub fn sources(dir: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut found: Vec<Source> = files(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| Source::read(&root, &path))
        .collect();
    let tests: Vec<String> = found.iter().flat_map(Source::test_files).collect();
    for source in &mut found {
        if tests.iter().any(|test| source.path.starts_with(test)) {
            source.code.iter_mut().for_each(String::clear);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no source in {dir}");
    found
}

/// Every file of the tree that is text, what is built left out.
pub fn text_files(root: &Path) -> Vec<(PathBuf, String)> {
    files(root)
        .into_iter()
        .filter_map(|path| Some((path.clone(), std::fs::read_to_string(&path).ok()?)))
        .collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if !["target", ".git"]
                .iter()
                .any(|name| entry.file_name() == *name) =>
            {
                found.extend(files(&path));
            }
            true => {}
            false if entry.file_name() == ".git" => {} // a worktree's pointer to its repository
            false => found.push(path),
        }
    }
    found
}

impl Source {
    fn read(root: &Path, path: &Path) -> Source {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let name = path.strip_prefix(root).unwrap_or(path);
        Source::parse(&name.display().to_string(), &text)
    }

    fn parse(path: &str, text: &str) -> Source {
        let (code, strings) = separate(text);
        let lines = |s: &str| s.lines().map(str::to_string).collect::<Vec<_>>();
        let mut code = lines(&code);
        drop_tests(&mut code);
        Source {
            path: path.to_string(),
            text: lines(text),
            code,
            strings: lines(&strings),
        }
    }

    /// The beginnings of the paths of what `#[cfg(test)] mod NAME;` names here.
    fn test_files(&self) -> Vec<String> {
        let dir = match self.path.rsplit_once('/') {
            Some((dir, "mod.rs")) => format!("{dir}/"),
            Some((dir, file)) => format!("{dir}/{}/", file.trim_end_matches(".rs")),
            None => String::new(),
        };
        let beside = self
            .path
            .rsplit_once('/')
            .map_or(String::new(), |(dir, _)| format!("{dir}/"));
        let mut found = Vec::new();
        let marked = self
            .text
            .iter()
            .enumerate()
            .filter(|(_, line)| line.trim() == "#[cfg(test)]");
        for (at, _) in marked {
            let mut path = None;
            for line in self.text[at + 1..].iter().map(|line| line.trim()) {
                if let Some(given) = line.strip_prefix("#[path = \"") {
                    path = Some(format!("{beside}{}", given.trim_end_matches("\"]")));
                    continue;
                }
                let name = line.trim_start_matches("pub ").strip_prefix("mod ");
                if let Some(name) = name.and_then(|rest| rest.strip_suffix(';')) {
                    found.extend(path.map_or_else(
                        || vec![format!("{dir}{name}.rs"), format!("{dir}{name}/")],
                        |path| vec![path],
                    ));
                }
                break;
            }
        }
        found
    }

    pub fn lines(&self) -> usize {
        self.text.len()
    }

    /// Where one of these stands in the code as a whole word: line, word.
    pub fn words(&self, words: &[&'static str]) -> Vec<(usize, &'static str)> {
        hits(&self.code, words)
    }

    /// The same in the strings of the code.
    pub fn strings_with(&self, words: &[&'static str]) -> Vec<(usize, &'static str)> {
        let mut found = hits(&self.strings, words);
        found.retain(|(line, _)| !self.code[line - 1].is_empty());
        found
    }

    /// The rooms that the code names through `crate::` or, in main.rs, `arctic::`.
    pub fn rooms_used(&self) -> Vec<(usize, String)> {
        let whole = self.code.join("\n");
        let mut found = Vec::new();
        for (at, prefix) in whole.match_indices("crate::") {
            let line = whole[..at].matches('\n').count() + 1;
            let rest = &whole[at + prefix.len()..];
            found.extend(first_words(rest).into_iter().map(|word| (line, word)));
        }
        found
    }

    /// Whether a comment stands on this line, or above the statement that it belongs to.
    pub fn has_comment_at(&self, line: usize) -> bool {
        let mut at = line - 1;
        loop {
            let above = at
                .checked_sub(1)
                .map(|i| self.text[i].trim())
                .unwrap_or_default();
            if self.text[at].contains("// ") || above.starts_with("//") {
                return true;
            }
            let begins = above.is_empty() || above.ends_with([';', '{', '}', ',']);
            if begins && !self.text[at].trim_start().starts_with('.') {
                return false;
            }
            at -= 1;
        }
    }
}

fn hits(lines: &[String], words: &[&'static str]) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        for word in words {
            if line
                .match_indices(word)
                .any(|(at, _)| whole_word(line, at, word))
            {
                found.push((i + 1, *word));
            }
        }
    }
    found
}

/// Whether the find is not a part of a longer identifier.
fn whole_word(line: &str, at: usize, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let before = line[..at].chars().next_back().is_some_and(part) && word.starts_with(part);
    let after = line[at + word.len()..].chars().next().is_some_and(part) && word.ends_with(part);
    !before && !after
}

/// The first identifier of a path, or of each path in a `{…}` group.
fn first_words(path: &str) -> Vec<String> {
    let word = |s: &str| {
        s.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let (mut depth, mut found, mut begins) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                found.push(word(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

/// Blanks what belongs to `#[cfg(test)]`: the item that follows it, to its closing brace.
fn drop_tests(code: &mut [String]) {
    let mut line = 0;
    while line < code.len() {
        if code[line].trim() == "#[cfg(test)]" {
            let end = end_of_item(code, line + 1);
            code[line..=end].iter_mut().for_each(String::clear);
            line = end;
        }
        line += 1;
    }
}

fn end_of_item(code: &[String], from: usize) -> usize {
    let mut depth = 0i32;
    for (i, line) in code.iter().enumerate().skip(from) {
        depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
        let closes = line.contains('}') || line.trim_end().ends_with(';');
        if depth == 0 && closes {
            return i;
        }
    }
    code.len() - 1
}

/// The text twice: once with comments and the insides of strings blanked, once with only those
/// insides. Both keep every line where it was.
fn separate(text: &str) -> (String, String) {
    let (mut code, mut strings) = (String::new(), String::new());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (len, kind) = piece(rest);
        let part = &rest[..len];
        let blank = |s: &str| {
            s.chars()
                .map(|c| if c == '\n' { c } else { ' ' })
                .collect::<String>()
        };
        match kind {
            Kind::Comment => {
                code.push_str(&blank(part));
                strings.push_str(&blank(part));
            }
            Kind::Text => {
                code.push_str(&blank(part));
                strings.push_str(part);
            }
            Kind::Code => {
                code.push(c);
                strings.push(if c == '\n' { c } else { ' ' });
            }
        }
        rest = &rest[len..];
    }
    (code, strings)
}

enum Kind {
    Code,
    Comment,
    Text,
}

/// How long the next piece is, in bytes, and what it is.
fn piece(rest: &str) -> (usize, Kind) {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (
            rest.find("*/").map_or(rest.len(), |at| at + 2),
            Kind::Comment,
        );
    }
    if let Some(hashes) = raw_string(rest) {
        let end = format!("\"{}", "#".repeat(hashes));
        let open = hashes + 2;
        let len = rest[open..]
            .find(&end)
            .map_or(rest.len(), |at| open + at + end.len());
        return (len, Kind::Text);
    }
    if rest.starts_with('"') {
        return (quoted(rest, '"'), Kind::Text);
    }
    if rest.starts_with('\'') && is_char(rest) {
        return (quoted(rest, '\''), Kind::Text);
    }
    (first, Kind::Code)
}

/// The number of `#` when a raw string begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// A character, not a lifetime: closed after one character or an escape.
fn is_char(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// The length of a quoted piece, escapes skipped.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn code_strings_comments_and_tests_are_told_apart() {
    let text = concat!(
        "use crate::{domain::{Id, Key}, wire}; // rusqlite\n",
        "let s = \"println! // no comment\"; let c = '\"'; let r = r#\"SELECT \"x\" \"#;\n",
        "fn f<'a>(x: &'a str) { x.unwrap() }\n",
        "#[cfg(test)]\nmod tests {\n    fn t() { y.unwrap() }\n}\n",
        "let z = a\n    // It cannot fail.\n    .b()\n    .expect(\"why\");\n",
    );
    let source = Source::parse("x.rs", text);
    assert_eq!(source.words(&["rusqlite", "println!", "SELECT"]), []);
    assert_eq!(source.strings_with(&["SELECT "]), [(2, "SELECT ")]);
    assert_eq!(
        source.words(&[".unwrap()", ".expect("]),
        [(3, ".unwrap()"), (11, ".expect(")]
    );
    assert!(!source.has_comment_at(3) && source.has_comment_at(11));
    let used = [(1, "domain".to_string()), (1, "wire".to_string())];
    assert_eq!(source.rooms_used(), used);
}
