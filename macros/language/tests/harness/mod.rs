//! What the short and the long run have in common: texts made of a random seed, and what has to hold of each.

use convnet_language::words;
use convnet_language::{Sizes, read};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::time::{Duration, Instant};

/// Nobody waits longer for a text of this size, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a run has seen.
pub struct Seen {
    what: &'static str,
    tried: u64,
    networks: u64,
    longest: Duration,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { what, tried, networks, longest } = self;
        write!(f, "{tried} {what}: {networks} networks without a mistake, the longest took {longest:?}")
    }
}

/// Networks that have every structure of the language; every word has one more of its own.
const NETWORKS: [&str; 4] = [
    "struct N<const K: usize = 10, const M: usize = 3>: [M, 16, 16] -> [K] { a: conv(6, kernel = 5, pad = 2); relu; max_pool(2);
     b: conv(16, 5, connections = [[0, 1], [2, 3], [4], [5], [0], [1], [2], [3], [4], [5], [0], [1], [2], [3], [4], [5]]); flatten;
     #[allow(unread_pixels)] linear(K); assert params <= 100_000, macs < 1_000_000; }",
    "#[allow(bias_before_norm)] block basic(out, stride = 1) { residual { conv(out, 3, stride, pad = 1, bias = false); batch_norm; relu; conv(out, 3, pad = 1); }
     shortcut if stride != 1 || channels != out { conv(out, 1, stride = stride); } relu; }
     /// Documented.
     pub struct R: [3, 16, 16] -> [5] { layer1: { repeat 2 { basic(8); } } layer2: basic(16, stride = 2);
     head aux: [7] { global_avg_pool; linear(7); } if height > 4 { max_pool(2); } else if width == 3 { relu; } else { elu(0.5); }
     global_avg_pool; fc as \"last\": linear(5); }",
    "struct C: [8, 8, 8] -> [4, 16, 16] { x: concat { { p: conv(4, 1); relu; } q: depthwise(3, pad = same, multiplier = 2); identity; }
     squeeze_excite(4); upsample(2, bilinear); pad(1, reflect); crop((1, 1, 1, 1)); channel_shuffle(2); group_norm(4); conv(4, 1);
     r#type: residual { conv_transpose(4, 3, stride = 1, pad = 1); prelu(per_channel); } layer_norm(affine = false); }",
    "#[export(small)] struct V: [12] -> [2] { linear(8, bias = false); batch_norm; leaky_relu(0.1); dropout(0.5); softmax; linear(2); }",
];

/// What a run begins with is right before it is changed.
pub fn all_are_right() {
    for text in NETWORKS {
        let found = read(text, &Sizes::default());
        assert!(found.is_ok(), "{}", found.map_err(|mistakes| mistakes.draw("a network", text, false)).unwrap_err());
    }
}

/// Tokens that are put in, beside those of the networks.
const TOKENS: [&str; 75] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "=",
    "->",
    "=>",
    "==",
    "<",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
    "&&",
    "||",
    "!",
    ".",
    "#",
    "$",
    "'",
    "::",
    "..",
    "@",
    "0",
    "1",
    "2",
    "7",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "1e-5",
    "0.5",
    "1e999",
    "true",
    "false",
    "\"text\"",
    "'c'",
    "same",
    "channels",
    "height",
    "width",
    "repeat",
    "residual",
    "shortcut",
    "concat",
    "head",
    "custom",
    "if",
    "else",
    "block",
    "struct",
    "as",
    "assert",
    "#[allow(unread_pixels)]",
    "def",
    "class",
    "for",
    "in",
    "return",
    "self",
    "nn",
    "F",
    "Sequential",
    "Conv2d",
    "range",
    "training",
    "x",
    "view",
];

/// Reads networks in which a few tokens were deleted, doubled, exchanged or replaced.
pub fn mutated(count: u64, seed: u64) -> Seen {
    let examples: Vec<String> = words::all().map(|word| around(word.signature.example)).collect();
    let networks: Vec<Vec<&str>> =
        NETWORKS.into_iter().chain(examples.iter().map(String::as_str)).map(tokens).collect();
    let all: Vec<&str> = networks.iter().flatten().copied().chain(TOKENS).collect();
    run("mutated networks", count, seed, |rng| {
        let mut text = networks.choose(rng).cloned().unwrap_or_default();
        for _ in 0..rng.gen_range(0..4) {
            mutate(&mut text, &all, rng);
        }
        text.join(" ")
    })
}

/// Reads tokens that have nothing to do with each other.
pub fn random(count: u64, seed: u64) -> Seen {
    let known: Vec<&str> = NETWORKS.into_iter().flat_map(tokens).chain(TOKENS).collect();
    run("streams of random tokens", count, seed, |rng| {
        let text: Vec<&str> = (0..rng.gen_range(0..60)).filter_map(|_| known.choose(rng).copied()).collect();
        // Half of them stand where a network's layers do.
        let text = text.join(" ");
        if rng.gen_bool(0.5) { format!("struct N: [3, 8, 8] -> [4] {{ {text} }}") } else { text }
    })
}

/// A network with one layer.
fn around(example: &str) -> String {
    format!("struct N: [16, 8, 8] -> [16, 8, 8] {{ one: {example}; }}")
}

fn mutate<'a>(text: &mut Vec<&'a str>, all: &[&'a str], rng: &mut StdRng) {
    if text.is_empty() {
        return;
    }
    let (at, other) = (rng.gen_range(0..text.len()), rng.gen_range(0..text.len()));
    match rng.gen_range(0..9) {
        0 => drop(text.remove(at)),
        1 => text.insert(at, text[other]),
        2 => text.swap(at, other),
        3 => text[at] = all.choose(rng).copied().unwrap_or(";"),
        4 => text.insert(at, all.choose(rng).copied().unwrap_or(";")),
        // Another number for one that is there, which often gives another network.
        5..=7 => {
            let is_number = |token: &str| token.starts_with(|c: char| c.is_ascii_digit());
            let numbers: Vec<usize> = (0..text.len()).filter(|i| is_number(text[*i])).collect();
            if let Some(place) = numbers.choose(rng) {
                text[*place] =
                    ["0", "1", "2", "3", "4", "5", "6", "8", "10", "16", "17"].choose(rng).copied().unwrap_or("1");
            }
        }
        _ => {
            // A stretch once more, somewhere else.
            let stretch = text[at.min(other)..at.max(other)].to_vec();
            let place = rng.gen_range(0..=text.len());
            text.splice(place..place, stretch.into_iter().take(40));
        }
    }
}

/// The tokens of a text, roughly; an operator of two characters is one.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for part in text.split_whitespace() {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | '"');
            let number = |c: char| word(c) || c == '.';
            let len = match first {
                c if c.is_ascii_digit() => rest.find(|c| !number(c)).unwrap_or(rest.len()),
                c if word(c) && c != '#' => rest.find(|c| !word(c)).unwrap_or(rest.len()),
                _ if ["->", "==", "!=", "<=", "||", "&&", "//"].iter().any(|two| rest.starts_with(two)) => 2,
                c => c.len_utf8(),
            };
            // A comment would swallow what comes after it.
            if !rest.starts_with("//") {
                found.push(&rest[..len]);
            }
            rest = &rest[len..];
        }
    }
    found
}

fn run(what: &'static str, count: u64, seed: u64, mut text: impl FnMut(&mut StdRng) -> String) -> Seen {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut seen = Seen { what, tried: 0, networks: 0, longest: Duration::ZERO };
    for _ in 0..count {
        let text = text(&mut rng);
        let sizes = Sizes {
            numbers: if rng.gen_bool(0.3) { vec![("K".into(), rng.gen_range(0..20))] } else { Vec::new() },
            classes: rng.gen_bool(0.2).then(|| rng.gen_range(0..20)),
            input: rng.gen_bool(0.1).then(|| (0..rng.gen_range(0..4)).map(|_| rng.gen_range(0..40)).collect()),
        };
        let begin = Instant::now();
        let found = read(&text, &sizes);
        let took = begin.elapsed();
        assert!(took < PATIENCE, "reading took {took:?}:\n{text}");
        seen.longest = seen.longest.max(took);
        seen.tried += 1;
        match found {
            Ok(networks) => networks.iter().for_each(|network| {
                seen.networks += 1;
                assert!(
                    network.warnings.all().is_empty() || !network.warnings.draw("net.cnn", &text, false).is_empty()
                );
                // What is printed reads back as the same network, of which the lints say the same, of other places.
                let again = read(&network.source, &sizes_of(network, &sizes));
                let mut again = again.unwrap_or_else(|mistakes| panic!("{mistakes}\n{}\nof\n{text}", network.source));
                again.iter_mut().for_each(|again| again.warnings = network.warnings.clone());
                assert_eq!((again.len(), &again[0]), (1, network), "{}\nof\n{text}", network.source);
            }),
            Err(mistakes) => {
                assert!(!mistakes.all().is_empty(), "neither a network nor a mistake:\n{text}");
                let lost = mistakes.all().iter().any(|mistake| mistake.message.contains("lost the size"));
                assert!(!lost, "{mistakes}\n{text}");
                assert!(!mistakes.draw("net.cnn", &text, false).is_empty());
            }
        }
    }
    seen
}

/// The sizes of one network among several.
fn sizes_of(network: &convnet_language::Read, sizes: &Sizes) -> Sizes {
    let numbers = network.numbers.iter().map(|(name, number)| (name.clone(), *number)).collect();
    Sizes { numbers, input: sizes.input.clone(), ..Sizes::default() }
}
