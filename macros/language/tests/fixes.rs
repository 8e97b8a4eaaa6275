//! The fixes that errors propose, applied: what an error says to write is written, and the mistake is gone.
//!
//! The networks are those of `tests/ui`. A fix with `...` in it, or one that says what to do in words, is for people alone.
#![cfg(test)]

use convnet_language::{Mistake, Sizes, read};
use std::ops::Range;
use std::path::Path;

/// What stands in the braces of the first `cnn!` of a file.
fn network(source: &str) -> Option<&str> {
    let start = source.find("cnn! {")? + "cnn! {".len();
    Some(&source[start..closing(source, start, '{', '}')?])
}

/// Where the bracket ends that is open at `start`.
fn closing(text: &str, start: usize, open: char, close: char) -> Option<usize> {
    let mut depth = 1;
    for (at, c) in text[start..].char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return Some(start + at);
        }
    }
    None
}

fn mistakes(text: &str) -> Vec<Mistake> {
    read(text, &Sizes::default()).err().map_or(Vec::new(), |mistakes| mistakes.all().to_vec())
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..range.start], &text[range.end..])
}

/// What is between the first backticks.
fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

/// The text with the fix of a mistake, where it is one that can be applied.
fn fixed(text: &str, Mistake { message, range, .. }: &Mistake) -> Option<String> {
    if let Some((_, word)) = message.split_once("did you mean `") {
        return Some(replaced(text, range.clone(), word.split('`').next()?));
    }
    let fix = message.lines().find_map(|line| line.trim().strip_prefix("fix: "))?;
    if fix.contains("...") {
        return None;
    }
    let to = |c: char| text[range.start..].find(c).map(|at| range.start + at);
    if let Some(what) = fix.strip_prefix("write `;` ") {
        return Some(match what.strip_prefix("in place of each `") {
            Some(sign) => replaced(
                text,
                range.start..to(';')?,
                &text[range.start..to(';')?].replace(sign.strip_suffix('`')?, ";"),
            ),
            None => replaced(text, range.end..range.end, ";"),
        });
    }
    if let Some(what) = fix.strip_prefix("write ") {
        return match fix.contains("` in `") || fix.contains("` in each `") {
            true => Some(changed(text, range, fix)),
            false => written(text, range, what),
        };
    }
    if fix.starts_with("leave ") {
        return left_out(text, range, fix);
    }
    if let Some(rest) = fix.strip_prefix("end with `linear") {
        let at = text.trim_end().rfind('}')?;
        return Some(replaced(text, at..at, &format!("linear{} ", rest.split('`').next()?)));
    }
    if let Some((_, shape)) = fix.split_once("declare `-> ") {
        return Some(replaced(text, range.clone(), shape.strip_prefix('[')?.split(']').next()?));
    }
    if let Some(rest) = fix.strip_prefix("end with `flatten") {
        let at = text.trim_end().rfind('}')?;
        return Some(replaced(text, at..at, &format!("flatten{} ", rest.strip_suffix('`')?)));
    }
    if fix.starts_with("add `shortcut") {
        let brace = to('{')?;
        let end = closing(text, brace + 1, '{', '}')? + 1;
        return Some(replaced(text, end..end, &format!(" {}", quoted(fix)?)));
    }
    if fix.starts_with("insert `flatten;`") {
        return Some(replaced(text, range.start..range.start, "flatten; "));
    }
    if let Some((_, number)) = fix.split_once("raise this to ").or(fix.split_once("lower this to ")) {
        return Some(replaced(text, range.clone(), number));
    }
    if fix == "leave out each `,` behind a `}`" {
        return Some(replaced(
            text,
            range.start..text.len(),
            &text[range.start..].replace("},", "}").replacen(',', "", 1),
        ));
    }
    let number = fix.strip_prefix("use kernel <= ").or_else(|| fix.strip_prefix("use pad <= "))?;
    Some(replaced(text, range.clone(), number.split(',').next()?))
}

/// The text without what is to be left out.
fn left_out(text: &str, range: &Range<usize>, fix: &str) -> Option<String> {
    let to = |c: char| text[range.start..].find(c).map(|at| range.start + at);
    if let Some(shape) = fix.strip_prefix("leave out the batch: ") {
        return Some(replaced(text, text[..range.start].rfind('[')?..to(']')? + 1, quoted(shape)?));
    }
    if fix.starts_with("leave this pool out") {
        let start = text[..range.start].rfind([';', '{'])? + 1;
        return Some(replaced(text, start..to(';')? + 1, ""));
    }
    if fix == "leave this out" {
        return Some(replaced(text, range.start..to(';')? + 1, ""));
    }
    if fix == "leave the name out" {
        return Some(replaced(text, range.start..to(':')? + 1, ""));
    }
    if fix == "leave out this `;`" {
        return Some(replaced(text, range.clone(), ""));
    }
    if fix.starts_with("leave it out") {
        let (end, before) = (to(',').filter(|comma| Some(*comma) < to(')')), text[..range.start].ends_with(", "));
        return Some(match (end, before) {
            (Some(comma), _) => replaced(text, range.start..comma + 2, ""),
            (None, true) => replaced(text, range.start - 2..to(')')?, ""),
            (None, false) => replaced(text, range.start..to(')')?, ""),
        });
    }
    if let Some(option) = fix.strip_prefix("leave out `") {
        let (option, layer) = option.split_once("` in `")?;
        let at = text[range.start..].find(layer.split('`').next()?)? + range.start;
        let at = text[at..].find(&format!(", {option}"))? + at;
        return Some(replaced(text, at..at + 2 + option.len(), ""));
    }
    let number = fix.strip_prefix("leave `").and_then(|rest| rest.strip_suffix("` out"))?;
    let (start, end) = (text[..range.start].rfind('(')? + 1, to(')')?);
    let rest = text[start..end].strip_prefix(number)?.trim_start_matches([',', ' ']);
    Some(replaced(text, start..end, rest))
}

/// The call that encloses a place by this word, or the next one: where it begins and ends, its arguments included.
fn call(text: &str, at: usize, word: &str) -> Option<Range<usize>> {
    let start = format!("{word}(");
    let is_word = |found: &usize| !text[..*found].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let end = |found: usize| Some(closing(text, found + start.len(), '(', ')')? + 1);
    let around = text[..at].match_indices(&start).map(|(found, _)| found).filter(is_word);
    let around = around.filter(|found| end(*found).is_some_and(|end| end > at)).last();
    let next = || text[at..].match_indices(&start).map(|(found, _)| at + found).find(is_word);
    let found = around.or_else(next)?;
    Some(found..end(found)?)
}

/// The text with an option in each of the layers that are named: "`pad = 1` in `a` and in `b`", "`pad = 1` in each `conv`".
fn changed(text: &str, range: &Range<usize>, fix: &str) -> String {
    let mut text = text.to_string();
    let is_there = |text: &str, at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    for part in fix.split(", ").filter(|part| part.contains("` in ")) {
        let mut words = part.split('`').skip(1).step_by(2);
        let option = words.next().unwrap();
        for layer in words.map(|layer| layer.rsplit('.').next().unwrap()) {
            let found = |start: usize, sign: &str| {
                let sign = format!("{layer}{sign}");
                let found = text[start..].match_indices(&sign).map(|(at, _)| start + at);
                found.filter(|at| is_there(&text, *at)).collect::<Vec<usize>>()
            };
            let after = [found(range.start, ": "), found(range.start, "("), found(0, ": "), found(0, "(")];
            let mut layers = after.into_iter().find(|layers| !layers.is_empty()).unwrap();
            layers.truncate(if part.contains("in each") { layers.len() } else { 1 });
            for layer in layers.into_iter().rev() {
                let open = layer + text[layer..].find('(').unwrap();
                let end = closing(&text, open + 1, '(', ')').unwrap();
                let inside = &text[open..end];
                // An option that was written has another value now.
                let (name, _) = option.split_once(' ').unwrap();
                let old = inside.find(&format!("{name} = ")).map(|at| open + at);
                match old {
                    Some(old) => {
                        let end = old + text[old..end].find(',').unwrap_or(end - old);
                        text.replace_range(old..end, option);
                    }
                    None => text.insert_str(end, &format!(", {option}")),
                }
            }
        }
    }
    text
}

/// The text with what is to be written at a mistake: a statement, a call, or what stands in place of the marked tokens.
fn written(text: &str, range: &Range<usize>, what: &str) -> Option<String> {
    let to = |c: &[char]| text[range.start..].find(c).map(|at| range.start + at);
    let code = what.starts_with('`').then(|| quoted(what)).flatten()?;
    let word = code.split('(').next()?;
    let is_word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
    // Braces that follow those of a `concat` are written again with them.
    if code.starts_with("concat {") && text[range.clone()].starts_with('{') {
        let start = text[..range.start].rfind("concat")?;
        return Some(replaced(text, start..closing(text, range.start + 1, '{', '}')? + 1, code));
    }
    // `.5` is marked at its point.
    if &text[range.clone()] == "." {
        let digits = text[range.end..].find(|c: char| !c.is_ascii_digit())?;
        return Some(replaced(text, range.start..range.end + digits, code));
    }
    if code.starts_with('[') && text[..range.start].ends_with('[') && text[range.end..].starts_with(']') {
        return Some(replaced(text, range.start - 1..range.end + 1, code));
    }
    if code.ends_with([';', '}']) {
        return Some(replaced(text, range.start..to(&[';'])? + 1, code));
    }
    if text[range.clone()].contains('(') && code.ends_with(')') && !code.starts_with('(') {
        let open = range.start + text[range.start..].find('(')?;
        return Some(replaced(text, range.start..closing(text, open + 1, '(', ')')? + 1, code));
    }
    // The whole layer, where the mark is on one of its values.
    let calls = is_word(word) && (code.ends_with(')') || text[range.clone()].chars().all(|c| c.is_ascii_digit()));
    if calls
        && !word.starts_with(|c: char| c.is_ascii_digit())
        && let Some(place) = call(text, range.start, word)
    {
        return Some(replaced(text, place, code));
    }
    Some(replaced(text, range.clone(), code))
}

/// Goes on as somebody would who does what is said: until there are fewer mistakes than `many`, some steps at most.
fn applied_on(text: String, many: usize) -> (String, Vec<Mistake>) {
    let mut text = text;
    for _ in 0..3 {
        let now = mistakes(&text);
        let next = now.iter().find_map(|mistake| fixed(&text, mistake));
        match next.filter(|_| now.len() >= many) {
            Some(next) => text = next,
            None => break,
        }
    }
    let after = mistakes(&text);
    (text, after)
}

#[test]
fn fixes_fix() {
    let (mut applied, mut worked, mut failures) = (0, 0, Vec::new());
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui");
    for folder in std::fs::read_dir(ui).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let Some(text) = network(&source) else { continue };
            let before = mistakes(text);
            for mistake in &before {
                let Some(fixed) = fixed(text, mistake) else { continue };
                applied += 1;
                let (last, after) = applied_on(fixed, before.len());
                let is_gone = after.iter().all(|other| other.message != mistake.message);
                match after.len() < before.len() && is_gone {
                    true => worked += 1,
                    false => failures.push(format!("{}\n{}\n{last}\n{after:#?}", path.display(), mistake.message)),
                }
            }
        }
    }
    let failures = failures.join("\n\n");
    assert!(applied >= 60, "{applied} fixes were applied\n{failures}");
    assert!(100 * worked >= 95 * applied, "{worked} of {applied}\n{failures}");
}

/// Bodies of networks whose only mistake goes away with its fix.
const BODIES: [&str; 57] = [
    "flatten; linear(784, 120);",
    "flatten; linear(256, 120);",
    "conv(1, 6, 5);",
    "conv(1, 6, kernel = 5, pad = 2);",
    "conv(1, 6, 5, 1, 2);",
    "conv(6, 5, 1, 2);",
    "conv(6, 1); batch_norm(6);",
    "conv(6, 1); group_norm(2, 6);",
    "max_pool(3, 2, 1);",
    "relu(1);",
    "conv(6, kernel = \"5\");",
    "conv(6, kernel = [5, 5]);",
    "conv(6, kernel = 5, pad = \"same\");",
    "conv(6, kernel = 5, pad = \"valid\");",
    "conv(6, kernel = 5, stride = 0);",
    "conv(6, kernel == 5);",
    "conv(6, kernel = 3, bias = \"False\");",
    "upsample(2, \"nearest\");",
    "upsample(scale_factor=2, mode=\"nearest\");",
    "flatten; linear(in_features = 784, out_features = 120);",
    "relu tanh;",
    "a: conv(6, 1) tanh;",
    "conv(6, 1), relu, tanh;",
    "conv(6, 1) -> relu;",
    "1conv: conv(4, 1);",
    "conv{4, kernel = 3};",
    "conv<4, 1>;",
    "concat [conv(2, 1), relu];",
    "residual conv(1, 3, pad = 1);",
    "repeat 2 relu;",
    "dropout = 0.5;",
    "c: nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.ReLU());",
    "x = F.relu(x);",
    "view(-1, 784);",
    "x = x.view(x.size(0), -1);",
    "x = x + conv(x);",
    "conv(6, 5); conv(16, 3, groups = 4);",
    "repeat 2 { a: relu; }",
    "conv(4, 1); residual { conv(4, kernel = 5, pad = 1); relu; }",
    "conv(4, 1); residual { conv(4, 3); relu; conv(4, 3); }",
    "conv(4, 1); residual { a: conv(8, 3); b: conv(8, 5); }",
    "conv(4, 1); concat { a: conv(2, 1); max_pool(3); }",
    "conv(4, 1); concat { a: conv(2, 3); b: conv(2, 1); identity; }",
    "conv(4, 28); max_pool(2);",
    "c: conv(4, 15); max_pool(2); max_pool(2); max_pool(2); max_pool(2);",
    "c: conv(4, kernel = 5, stride = 30); max_pool(2);",
    "conv(16, kernel = 8, dilation = 4);",
    "max_pool(20); conv(6, 10);",
    "conv(4, 3); global_max_pool; assert params <= 5;",
    "concat { { conv(8, 1); } { conv(8, kernel = 3, stride = 2, pad = 1); } }",
    "concat { conv(8, kernel = 1); } { conv(8, kernel = 3, pad = 1); }",
    "conv(4, 1); residual { conv(4, 3, stride = 2, pad = 1); } shortcut { s: conv(4, kernel = 1); }",
    "conv(6, kernel: 5, pad: 2);",
    "relu; return x;",
    "relu max_pool(2);",
    "conv(4, 3) max_pool(2);",
    "conv1 conv(4, 3);",
];

/// Ends of networks, where nothing may follow.
const NETWORKS: [&str; 6] = [
    "struct N: [1, 28, 28] -> [10] { flatten; linear(100); relu; }",
    "struct N: [1, 28, 28] -> [10] { conv(7, 3); batch_norm; global_avg_pool; }",
    "struct N: [1, 28, 28] -> [10] { flatten; fc: linear(10) }",
    "struct N: [28, 28, 1] -> [10] { conv(8, 3); flatten; linear(10); }",
    "struct N([1, 28, 28]) -> [10] { flatten; linear(10); }",
    "struct N: [28, 28] -> [10] { flatten; linear(10); }",
];

#[test]
fn each_fix_fixes() {
    let bodies = BODIES.map(|body| {
        let end = if body.starts_with("flatten")
            || body.contains("view")
            || body.contains("global_max")
            || body.contains("Flatten")
        {
            ""
        } else {
            "flatten; "
        };
        format!("struct N: [1, 28, 28] -> [10] {{ {body} {end}linear(10); }}")
    });
    for text in bodies.into_iter().chain(NETWORKS.map(String::from)) {
        let before = mistakes(&text);
        assert_eq!(before.len(), 1, "{text}\n{before:#?}");
        let once = fixed(&text, &before[0]).unwrap_or_else(|| panic!("{text}\n{before:#?}"));
        let (last, after) = applied_on(once, 1);
        assert!(after.is_empty(), "{text}\n{before:#?}\n{last}\n{after:#?}");
    }
}
