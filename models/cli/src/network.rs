//! The network that a command works with: one of the program's own crate, one of the zoo, one of a `.cnn` file, or the one that a
//! weights file speaks of.
//!
//! All of them come from text by the language, so each can have another number of classes or another input than it was declared
//! with, where its declaration has a const generic for that. Those with `custom` modules, which are Rust, are what their types are.

use crate::own::{self, Declared, program};
use convnet::backend::Backend;
use convnet::graph::{Graph, Shape};
use convnet::language::{self, Read, read};
use convnet::net::{AnyNetwork, DynNetwork};
use convnet::regular_file;
use convnet::weights::{self, Metadata};
use convnet_models::{CATALOGUE, Entry, find};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The key of a weights file's metadata under which the network's declaration is, at its sizes.
const SOURCE: &str = "source";

/// The largest `.cnn` file that is read, in bytes. The language has a limit of its own, which is lower.
const TEXT: u64 = 16 << 20;

/// Options about the sizes of a network.
#[derive(clap::Args, Clone, Default)]
pub struct Sizes {
    /// The network's number of classes [default: what the data or the weights say, or the network's own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub classes: Option<u32>,
    /// The network's input: channels, height and width, as in 3x64x64 [default: what the weights say, or the network's own]
    #[arg(long, value_name = "CxHxW", value_parser = input)]
    pub input: Option<String>,
}

fn input(text: &str) -> Result<String, String> {
    match shape(text) {
        Some(_) => Ok(text.into()),
        None => Err("it must be channels, height and width, as in 3x64x64".into()),
    }
}

/// `3x64x64` as numbers.
pub fn shape(text: &str) -> Option<Vec<usize>> {
    let numbers: Option<Vec<usize>> = text.split('x').map(|number| number.parse().ok().filter(|n| *n > 0)).collect();
    numbers.filter(|numbers| numbers.len() == 3 || numbers.len() == 1)
}

/// `[3, 64, 64]` as `3x64x64`.
fn written(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

impl Sizes {
    /// The same, with this number of classes unless another one was asked for.
    pub fn or_classes(&self, classes: usize) -> Self {
        Sizes { classes: self.classes.or(u32::try_from(classes).ok()), ..self.clone() }
    }

    fn of_language(&self) -> Result<language::Sizes, Box<dyn Error>> {
        let mut sizes = language::Sizes { classes: self.classes.map(|n| n as usize), ..language::Sizes::default() };
        if let Some(text) = &self.input {
            sizes.input = Some(shape(text).ok_or_else(|| format!("input is `{text}`; it must be as in 3x64x64"))?);
        }
        Ok(sizes)
    }
}

/// Mistakes in a declaration, drawn as rustc draws them.
#[derive(Debug)]
pub struct Drawn(String);

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Drawn {}

/// A declared network.
#[derive(Clone)]
pub struct Network {
    /// What stands for it on the command line.
    pub word: String,
    /// What files are called after it.
    pub name: String,
    /// Its layers.
    pub graph: Arc<Graph>,
    /// Where the zoo has it from.
    pub paper: Option<&'static str>,
    /// The weights file, if it was that which said what network it is.
    pub weights: Option<PathBuf>,
    /// What the lints find in it, drawn as rustc draws its warnings.
    warnings: Option<String>,
    /// The same, a line each.
    notes: Vec<String>,
    /// None where it has `custom` modules.
    declaration: Option<Declaration>,
    own: Option<Declared>,
}

/// What a network was read from, and so what it can be read from with other sizes.
#[derive(Clone)]
struct Declaration {
    /// What people know it by.
    place: String,
    text: String,
    sizes: Sizes,
    /// The const generic that is the number of classes.
    classes: Option<String>,
    /// The declaration at these sizes, without any other network.
    source: String,
}

impl Network {
    /// The network that `net` stands for: a name, a `.cnn` file, or a weights file.
    pub fn find(net: &str, sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        match found(net)? {
            Found::Own(own) => Self::of_own(own, sizes),
            Found::Zoo(entry) => Self::of_zoo(entry, sizes),
            Found::Cnn(path) => Self::of_text(net, path.display().to_string(), text(&path)?, sizes),
            Found::Weights(path) => Self::of_weights(path, sizes),
        }
    }

    /// The same for a trained network: where its weights say which sizes it has, it has them unless others were asked for.
    pub fn find_trained(net: &str, sizes: &Sizes, weights: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let found = found(net)?;
        if let Found::Weights(path) = found {
            if let Some(other) = weights {
                let [path, other] = [path.as_path(), other].map(Path::display);
                return Err(format!("{path} is a weights file, and --weights names another one: {other}").into());
            }
            return Self::of_weights(path, sizes);
        }
        let default = default_weights(&name(net));
        let weights = weights.unwrap_or(&default);
        let about = if weights.exists() { weights::metadata(weights)? } else { Metadata::new() };
        let declared = Self::find(net, &Sizes::default());
        let Some(source) = about.get(SOURCE) else { return Self::find(net, sizes) };
        let trained = Self::of_text(net, weights.display().to_string(), source.clone(), &Sizes::default())?;
        // Weights of another network are told by what loads them.
        if declared.as_ref().is_ok_and(|declared| declared.graph.name != trained.graph.name) {
            return declared;
        }
        let free = trained.declaration.as_ref().is_some_and(|declaration| declaration.classes.is_some());
        let classes = sizes.classes.or(u32::try_from(trained.classes()).ok().filter(|_| free));
        let input = sizes.input.clone().unwrap_or_else(|| written(&trained.input()));
        // What is as it was declared keeps its budgets.
        let input = declared.ok().is_none_or(|declared| written(&declared.input()) != input).then_some(input);
        Self::find(net, &Sizes { classes, input })
    }

    fn of_own(own: &Declared, sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        let (word, name) = (own.graph.name.to_string(), own.name());
        let Some(source) = own.source else {
            let graph = Arc::new(own.graph.clone());
            let notes = own.notes.iter().map(ToString::to_string).collect();
            let (warnings, own) = (None, Some(*own));
            let found =
                Network { word, name, graph, paper: None, weights: None, warnings, notes, declaration: None, own };
            return found.checked(sizes);
        };
        let mut found = Self::of_text(&word, format!("`cnn!` of {word}"), source.into(), sizes)?;
        found.name = name;
        Ok(found)
    }

    /// The network itself, which has no other sizes than its own, or an error if others were asked for.
    fn checked(self, sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        let fixed = |what: &str, is: String, wanted: String| {
            let word = &self.word;
            format!(
                "{word} has {is} {what}, not {wanted}; it has custom modules, which are Rust, so its sizes can only be changed in its \
                     declaration"
            )
        };
        let (input, wanted) = (written(&self.input()), sizes.input.clone());
        match (sizes.classes, wanted) {
            (Some(n), _) if n as usize != self.classes() => {
                Err(fixed("outputs", self.classes().to_string(), n.to_string()).into())
            }
            (_, Some(wanted)) if wanted != input => Err(fixed("as its input", input, wanted).into()),
            _ => Ok(self),
        }
    }

    fn of_zoo(entry: &Entry, sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        let mut found = Self::of_text(entry.name, entry.name.into(), entry.source.into(), sizes)?;
        found.paper = Some(entry.paper);
        Ok(found)
    }

    fn of_weights(path: PathBuf, sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        let about = weights::metadata(&path)?;
        let name = about.get("network").map_or("", String::as_str);
        let own = own::all().iter().find(|own| own.graph.name == name);
        let zoo = CATALOGUE.iter().find(|entry| own.is_none() && entry.graph.name == name);
        let mut found = match (about.get(SOURCE), own, zoo) {
            (Some(source), ..) => {
                Self::of_text(&path.to_string_lossy(), path.display().to_string(), source.clone(), sizes)?
            }
            (None, Some(own), _) => Self::of_own(own, sizes)?,
            (None, None, Some(entry)) => Self::of_zoo(entry, sizes)?,
            (None, None, None) => {
                let path = path.display();
                return Err(format!(
                    "{path} does not say which network it is of; name the network, and the file by --weights {path}"
                )
                .into());
            }
        };
        if let Some(name) = own.map(Declared::name).or_else(|| zoo.map(|entry| entry.name.into())) {
            found.name = name;
        }
        found.word = path.to_string_lossy().into_owned();
        found.weights = Some(path);
        Ok(found)
    }

    /// The one network of a text that stands at `place`.
    pub fn of_text(word: &str, place: String, text: String, sizes: &Sizes) -> Result<Self, Box<dyn Error>> {
        let styled = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let found = read(&text, &sizes.of_language()?);
        let mut found = found.map_err(|mistakes| Drawn(mistakes.draw(&place, &text, styled)))?;
        let Some(Read { graph, classes, source, warnings, notes, .. }) = found.pop() else {
            return Err(format!("{place} declares no network").into());
        };
        if !found.is_empty() {
            let names: Vec<_> =
                found.iter().map(|read| read.graph.name.to_string()).chain([graph.name.to_string()]).collect();
            let names = names.join(", ");
            return Err(format!("{place} declares {names}; a file for the program declares one network").into());
        }
        let warnings = if warnings.all().is_empty() { None } else { Some(warnings.draw(&place, &text, styled)) };
        let declaration = Some(Declaration { place, text, sizes: sizes.clone(), classes, source });
        // What is the same network as a type of the program runs as that type, wherever it was read.
        let own = own::all().iter().find(|own| *own.graph == graph).copied();
        let (word, name) = (word.to_string(), name(word));
        let (graph, paper, weights) = (Arc::new(graph), None, None);
        Ok(Network { word, name, graph, paper, weights, warnings, notes, declaration, own })
    }

    /// Builds the network with random weights: as its type, if the program was built with it and the device is the CPU.
    pub fn build<D: Backend<f32>>(&self, device: &D) -> Result<Box<dyn AnyNetwork<f32, D>>, Box<dyn Error>> {
        let typed = self.own.map(|own| own.build(device)).transpose()?.flatten();
        match (typed, &self.declaration) {
            (Some(typed), _) => Ok(typed),
            (None, Some(_)) => Ok(Box::new(DynNetwork::build(self.graph.clone(), device)?)),
            (None, None) => Err(format!(
                "{} has custom modules, which are Rust, and runs on the CPU only: give --device cpu",
                self.graph.name
            )
            .into()),
        }
    }

    /// What the lints find in it, drawn as rustc draws its warnings, if it is of a `.cnn` file, whose author can change it.
    pub fn warnings(&self) -> Option<&str> {
        self.warnings.as_deref().filter(|_| is_cnn(Path::new(&self.word)))
    }

    /// What the lints find in it, a line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The table of its layers for a batch, and below it what the lints find in it.
    pub fn summary(&self, batch: usize) -> String {
        let notes: Vec<&str> = self.notes.iter().map(String::as_str).collect();
        self.graph.summary().batch(batch).notes(&notes).to_string()
    }

    /// What stands for it wherever the program is started from.
    pub fn lasting_word(&self) -> std::io::Result<String> {
        match is_named(&self.word) {
            true => Ok(self.name.clone()),
            false => Ok(std::path::absolute(&self.word)?.to_string_lossy().into_owned()),
        }
    }

    /// What a weights file is to say of the network, so that nobody has to name it.
    pub fn about(&self) -> Metadata {
        self.source().map(|source| (SOURCE.to_string(), source.to_string())).into_iter().collect()
    }

    /// Its declaration at its sizes; none with `custom` modules.
    pub fn source(&self) -> Option<&str> {
        self.declaration.as_ref().map(|declaration| declaration.source.as_str())
    }

    /// The number of its classes.
    pub fn classes(&self) -> usize {
        self.graph.output_shape().chw()[0]
    }

    /// The shape of its input as it is declared.
    fn input(&self) -> Vec<usize> {
        match self.graph.input() {
            Shape::Map([c, h, w]) => vec![c, h, w],
            Shape::Vector(n) => vec![n],
        }
    }

    /// The parameters that depend on the number of classes, by their names: the head, and auxiliary heads. None where the number is fixed.
    pub fn head(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let Some(Declaration { place, text, sizes, classes: Some(_), .. }) = self.declaration.clone() else {
            return Ok(BTreeSet::new());
        };
        let one_more = u32::try_from(self.classes() + 1).ok();
        let other = Self::of_text(&self.word, place, text, &Sizes { classes: one_more, ..sizes })?;
        let both = self.graph.params.iter().zip(other.graph.params.iter());
        Ok(both.filter(|(a, b)| a.shape != b.shape).map(|(a, _)| a.name.to_string()).collect())
    }
}

/// Whether a weights file says what network it is of, at its sizes.
pub fn says_source(about: &Metadata) -> bool {
    about.contains_key(SOURCE)
}

/// What the word for a network stands for.
enum Found {
    Own(&'static Declared),
    Zoo(&'static Entry),
    Cnn(PathBuf),
    Weights(PathBuf),
}

fn found(net: &str) -> Result<Found, Box<dyn Error>> {
    let path = Path::new(net);
    match (own::find(net), find(net)) {
        (Some(own), _) => Ok(Found::Own(own)),
        (None, Ok(entry)) => Ok(Found::Zoo(entry)),
        (None, Err(_)) if is_cnn(path) => Ok(Found::Cnn(path.into())),
        (None, Err(_)) if is_weights(path) => Ok(Found::Weights(path.into())),
        (None, Err(error)) => Err(misplaced(net, &error.to_string()).into()),
    }
}

/// Whether a network of the program or of the zoo has this name.
pub fn is_named(net: &str) -> bool {
    own::find(net).is_some() || find(net).is_ok()
}

/// The network of a command that names none: the program's own, or LeNet-5.
pub fn usual() -> String {
    own::all().first().map_or_else(|| "lenet5".into(), Declared::name)
}

/// Whether a path is that of a declared network, by its name.
pub fn is_cnn(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("cnn"))
}

/// Whether a path is that of a weights file, by its name.
pub fn is_weights(path: &Path) -> bool {
    const KNOWN: [&str; 5] = ["safetensors", "npz", "pt", "pth", "bin"];
    path.extension().is_some_and(|extension| KNOWN.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// What files are called after a network: its name, or a file's without its extension.
pub fn name(net: &str) -> String {
    match (own::find(net), find(net)) {
        (Some(own), _) => own.name(),
        (None, Ok(entry)) => entry.name.into(),
        (None, Err(_)) => {
            Path::new(net).file_stem().map_or_else(|| net.into(), |stem| stem.to_string_lossy().into_owned())
        }
    }
}

/// Where the weights of a network of this name are kept unless the user says otherwise.
pub fn default_weights(name: &str) -> PathBuf {
    PathBuf::from(format!("{name}.safetensors"))
}

/// That no network has that name, which is `unknown` to the zoo, and, if it is a file's, which files can stand for one.
fn misplaced(net: &str, unknown: &str) -> String {
    let kind = match std::fs::metadata(net) {
        Ok(found) if found.is_dir() => "folder",
        Ok(_) => "file",
        Err(_) => {
            let own: Vec<String> = own::all().iter().map(Declared::name).collect();
            let own = if own.is_empty() { String::new() } else { format!("; this program has: {}", own.join(", ")) };
            return format!("{unknown}{own}");
        }
    };
    format!(
        "`{net}` is a {kind}, and a network is wanted here: a name that `{} models` lists, a .cnn file or a weights file",
        program()
    )
}

/// The text of a `.cnn` file.
fn text(path: &Path) -> Result<String, Box<dyn Error>> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let has = regular_file::open(path).and_then(|file| file.metadata()).map_err(cannot)?.len();
    if has > TEXT {
        return Err(
            format!("{} has {has} bytes, far more than any network; is it another file?", path.display()).into()
        );
    }
    Ok(regular_file::read_to_string(path).map_err(cannot)?)
}
