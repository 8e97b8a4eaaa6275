//! The options of a training run as flags and as a TOML file: both from the library's one list.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use convnet::format_version;
use convnet::train::{Config, ConfigError, OPTIONS, OptionInfo, ValueKind};
use convnet::wording::did_you_mean;
use std::error::Error;
use std::path::Path;
use toml::{Table, Value};

/// The options that were given as flags, by their keys.
#[derive(Debug, Clone, Default)]
pub struct Given(pub Table);

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        let defaults = Table::try_from(Config::default()).unwrap_or_default();
        OPTIONS.iter().fold(command, |command, option| command.arg(flag(option, defaults.get(option.key))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(option: &OptionInfo, default: Option<&Value>) -> Arg {
    let help = match default {
        Some(Value::Array(list)) if list.is_empty() => option.help.to_string(),
        Some(Value::Array(list)) => {
            let list: Vec<String> = list.iter().map(Value::to_string).collect();
            format!("{} [default: {}]", option.help, list.join(","))
        }
        Some(Value::String(text)) => format!("{} [default: {text}]", option.help),
        Some(Value::Boolean(_)) | None => option.help.to_string(),
        Some(value) => format!("{} [default: {value}]", option.help),
    };
    let arg = Arg::new(option.key).long(option.key.replace('_', "-")).help(help).help_heading("Training");
    match option.kind {
        ValueKind::Integer => arg.value_name("N").value_parser(clap::value_parser!(u32)),
        ValueKind::Number => arg.value_name("X").value_parser(clap::value_parser!(f64)).allow_negative_numbers(true),
        ValueKind::Text => arg.value_name("WORD"),
        ValueKind::Switch => arg
            .value_name("true|false")
            .num_args(0..=1)
            .default_missing_value("true")
            .value_parser(clap::value_parser!(bool)),
        ValueKind::Numbers | ValueKind::Pair => arg
            .value_name("X,...")
            .value_delimiter(',')
            .value_parser(clap::value_parser!(f64))
            .action(ArgAction::Append),
        ValueKind::Texts => arg.value_name("WORD").action(ArgAction::Append),
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Given::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for option in OPTIONS {
            let key = option.key;
            let value = match option.kind {
                ValueKind::Integer => matches.get_one::<u32>(key).map(|n| Value::Integer((*n).into())),
                ValueKind::Number => matches.get_one::<f64>(key).map(|x| Value::Float(*x)),
                ValueKind::Text => matches.get_one::<String>(key).map(|text| Value::String(text.clone())),
                ValueKind::Switch => matches.get_one::<bool>(key).map(|on| Value::Boolean(*on)),
                ValueKind::Numbers | ValueKind::Pair => {
                    matches.get_many::<f64>(key).map(|list| Value::Array(list.map(|x| Value::Float(*x)).collect()))
                }
                ValueKind::Texts => matches
                    .get_many::<String>(key)
                    .map(|list| Value::Array(list.flat_map(|text| pieces(text)).map(Value::String).collect())),
            };
            if let Some(value) = value {
                self.0.insert(key.into(), value);
            }
        }
        Ok(())
    }
}

/// The parts of a text between commas that are not inside brackets: `crop(pad = 2), flip` are two words.
pub fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut depth) = (vec![String::new()], 0_i32);
    for c in text.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        match (c, depth, pieces.last_mut()) {
            (',', ..=0, _) => pieces.push(String::new()),
            (_, _, Some(piece)) => piece.push(c),
            _ => {}
        }
    }
    pieces.into_iter().map(|piece| piece.trim().to_string()).filter(|piece| !piece.is_empty()).collect()
}

/// What a TOML file says: options of training, and the others, whose keys are `known`. A run's `config.toml` has its version, too.
pub fn read(path: &Path, known: &[&str]) -> Result<(Table, Table), Box<dyn Error>> {
    let text = convnet::regular_file::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut all: Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    // Before the options: those of a newer version may have other names and meanings.
    if let Some(version) = all.remove(format_version::KEY) {
        format_version::check_text(&version.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let (mut training, mut others) = (Table::new(), Table::new());
    for (key, value) in all {
        if OPTIONS.iter().any(|option| option.key == key) {
            training.insert(key, value);
        } else if known.contains(&key.as_str()) {
            others.insert(key, value);
        } else {
            let names: Vec<&str> = OPTIONS.iter().map(|option| option.key).chain(known.iter().copied()).collect();
            let hint = did_you_mean(&key, &names);
            return Err(format!("{}: no option is called `{key}`{hint}", path.display()).into());
        }
    }
    Ok((training, others))
}

/// The options: those of the file, and over them those given as flags.
pub fn config(file: Table, given: &Given, from: Option<&Path>) -> Result<Config, Box<dyn Error>> {
    let mut table = file;
    table.extend(given.0.clone());
    let (place, placed) = (|key: &str| place(key, given, from), |error: ConfigError| placed(&error, given, from));
    for option in OPTIONS {
        let Some(value) = table.get_mut(option.key) else { continue };
        // A whole number is a number, too.
        if let (ValueKind::Number, Value::Integer(n)) = (option.kind, &*value) {
            *value = Value::Float(*n as f64);
        }
        let expected = expected(option.kind, value);
        if !fits(option.kind, value) {
            return Err(format!("{}{} is {value}; it must be {expected}", place(option.key), option.key).into());
        }
        for word in words(value) {
            option.check(word).map_err(placed)?;
        }
    }
    // What each value is was looked at above, so that this fails only for what no user can bring about.
    let config: Config = table.try_into()?;
    config.check().map_err(placed)?;
    Ok(config)
}

/// Where the value of an option came from: a fault is that of the flag or of the file.
fn place(key: &str, given: &Given, from: Option<&Path>) -> String {
    match from {
        _ if given.0.contains_key(key) => "--".to_string(),
        Some(path) => format!("{}: ", path.display()),
        None => String::new(),
    }
}

/// An error with the place of the value.
pub fn placed(error: &ConfigError, given: &Given, from: Option<&Path>) -> String {
    let (place, text) = (place(error.option(), given, from), error.to_string());
    // A flag is written with `-`.
    match (place.as_str(), text.strip_prefix(error.option())) {
        ("--", Some(rest)) => format!("--{}{rest}", error.option().replace('_', "-")),
        ("--", None) => text,
        _ => place + &text,
    }
}

/// The words of a value.
fn words(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// Whether a value is of a kind.
fn fits(kind: ValueKind, value: &Value) -> bool {
    match kind {
        ValueKind::Integer => value.as_integer().is_some_and(|n| n >= 0),
        ValueKind::Number => is_number(value),
        ValueKind::Text => value.is_str(),
        ValueKind::Switch => value.is_bool(),
        ValueKind::Numbers => is_numbers(value),
        ValueKind::Pair => is_numbers(value) && value.as_array().is_some_and(|list| list.len() == 2),
        ValueKind::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_str)),
    }
}

fn is_number(value: &Value) -> bool {
    value.is_float() || value.is_integer()
}

fn is_numbers(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(is_number))
}

/// What a value of a kind must be, where `value` is none.
fn expected(kind: ValueKind, value: &Value) -> &'static str {
    match kind {
        ValueKind::Integer => "a whole number from 0 on",
        ValueKind::Number => "a number",
        ValueKind::Text => "a word in quotation marks",
        ValueKind::Switch => "true or false",
        ValueKind::Pair if is_numbers(value) => "two numbers",
        ValueKind::Numbers | ValueKind::Pair => "numbers in square brackets, as in [0.9, 0.999]",
        ValueKind::Texts => "words in square brackets, as in [\"flip\", \"rotate(10)\"]",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_at_commas_outside_of_brackets() {
        assert_eq!(pieces("crop(pad = 2), color(0.1, 0.2),flip"), ["crop(pad = 2)", "color(0.1, 0.2)", "flip"]);
        assert_eq!(pieces("flip)"), ["flip)"]);
        assert!(pieces("").is_empty());
    }

    fn flags(text: &str) -> Given {
        Given(text.parse().unwrap())
    }

    #[test]
    fn a_fault_is_told_with_the_place_that_it_came_from() {
        let said = |file: &str, given: &str| {
            let from = (!file.is_empty()).then(|| Path::new("run.toml"));
            config(file.parse().unwrap(), &flags(given), from).map(|_| ()).unwrap_err().to_string()
        };
        let there_are = "it must be sgd, adam, adamw or rmsprop; did you mean `adam`?";
        assert_eq!(said("optimizer = 'adma'", ""), format!("run.toml: optimizer is `adma`; {there_are}"));
        assert_eq!(said("", "optimizer = 'adma'"), format!("--optimizer is `adma`; {there_are}"));
        assert_eq!(said("lr = 1", "optimizer = 'adma'"), format!("--optimizer is `adma`; {there_are}"));
        // The flag goes before the file, but the fault is the file's.
        assert_eq!(said("lr = 0", "epochs = 3"), "run.toml: lr is 0; it must be a number above 0");
        assert_eq!(said("", "weight_decay = -1.0"), "--weight-decay is -1; it must be a number from 0 on");
        for (file, expected) in [
            ("lr = 'high'", "run.toml: lr is \"high\"; it must be a number"),
            ("epochs = 1.5", "run.toml: epochs is 1.5; it must be a whole number from 0 on"),
            ("epochs = -1", "run.toml: epochs is -1; it must be a whole number from 0 on"),
            ("fit = 3", "run.toml: fit is 3; it must be a word in quotation marks"),
            ("nesterov = 'yes'", "run.toml: nesterov is \"yes\"; it must be true or false"),
            ("betas = 0.9", "run.toml: betas is 0.9; it must be numbers in square brackets, as in [0.9, 0.999]"),
            ("betas = [0.9]", "run.toml: betas is [0.9]; it must be two numbers"),
            (
                "augment = 'flip'",
                "run.toml: augment is \"flip\"; it must be words in square brackets, as in [\"flip\", \"rotate(10)\"]",
            ),
            ("augment = ['flop']", "run.toml: augment is `flop`: there is no `flop`; it must be crop, flip"),
        ] {
            let said = said(file, "");
            assert!(said.starts_with(expected), "{said}");
        }
        // Whole numbers are numbers in lists, too.
        assert!(config("betas = [0, 0.5]\nlr = 1".parse().unwrap(), &Given::default(), None).is_ok());
    }
}
