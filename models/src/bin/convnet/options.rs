//! The options of a training run as flags and as a TOML file: both from the library's one list.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use convnet::train::{Config, OPTIONS, OptionInfo, ValueKind};
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
        ValueKind::Numbers => arg
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
                ValueKind::Numbers => {
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

/// What a TOML file says: options of training, and the others, whose keys are `known`.
pub fn read(path: &Path, known: &[&str]) -> Result<(Table, Table), Box<dyn Error>> {
    let text = convnet::regular_file::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let all: Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    let (mut training, mut others) = (Table::new(), Table::new());
    for (key, value) in all {
        if OPTIONS.iter().any(|option| option.key == key) {
            training.insert(key, value);
        } else if known.contains(&key.as_str()) {
            others.insert(key, value);
        } else {
            let names = OPTIONS.iter().map(|option| option.key).chain(known.iter().copied());
            let likeness = |name: &&str| strsim::jaro_winkler(&key, name);
            let best = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.7);
            let hint = best.map_or_else(String::new, |best| format!("; did you mean `{best}`?"));
            return Err(format!("{}: no option is called `{key}`{hint}", path.display()).into());
        }
    }
    Ok((training, others))
}

/// The options: those of the file, and over them those given as flags.
pub fn config(file: Table, given: &Given, from: Option<&Path>) -> Result<Config, Box<dyn Error>> {
    let mut table = file;
    // A whole number is a number, too.
    for option in OPTIONS.iter().filter(|option| option.kind == ValueKind::Number) {
        if let Some(Value::Integer(n)) = table.get(option.key) {
            let number = Value::Float(*n as f64);
            table.insert(option.key.into(), number);
        }
    }
    table.extend(given.0.clone());
    let from = from.map_or_else(String::new, |path| format!("{}: ", path.display()));
    let config: Config = table.try_into().map_err(|error| format!("{from}{error}"))?;
    config.check()?;
    Ok(config)
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
}
