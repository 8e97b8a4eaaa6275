//! What a model does to the bytes of images before the network sees them: resizing, if it is asked for, and normalisation.

use super::draft::{Draft, int, ints, word};
use crate::proto::{DataType, ValueInfo};

/// The way from bytes `[N, C, H, W]`, 0 to 255, to what the network takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// `[C, H, W]` of the network's input.
    pub shape: [usize; 3],
    /// By what the bytes of each channel are multiplied.
    pub factor: Vec<f32>,
    /// What is added then.
    pub offset: Vec<f32>,
    /// How images get the network's height and width; nothing, if they have to have them.
    pub resizing: Option<Resizing>,
}

/// How images of another size get that of the network; always by the antialiased bilinear filter of Pillow, without its rounding to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resizing {
    /// Stretched.
    Stretched,
    /// As large as just covers the network's input, and the middle of that.
    Covering,
    /// The shorter side to so many pixels, and the middle of that, as torchvision does.
    Shorter(usize),
}

impl Preprocessing {
    /// The model's input.
    pub(super) fn input(&self, name: &str) -> ValueInfo {
        let [channels, height, width] = self.shape;
        let size = |extent: usize, name: &'static str| match self.resizing {
            None => super::model::known(extent),
            Some(_) => super::model::symbol(name),
        };
        let dims = vec![
            super::model::symbol("batch"),
            super::model::known(channels),
            size(height, "height"),
            size(width, "width"),
        ];
        super::model::value(name, DataType::Uint8, dims)
    }

    /// Writes it, and says what its result is called.
    pub(super) fn write(&self, draft: &mut Draft, input: &str) -> String {
        let mut steps = Steps { draft, value: String::new() };
        steps.value = steps.named("floats", "Cast", &[input], vec![int("to", 1)]);
        if let Some(how) = self.resizing {
            steps.resize(how, self.shape);
        }
        let by_channel = [self.shape[0], 1, 1];
        let factor = steps.draft.floats("preprocessing/factor", &by_channel, &self.factor);
        let offset = steps.draft.floats("preprocessing/offset", &by_channel, &self.offset);
        let value = steps.value.clone();
        let scaled = steps.named("scaled", "Mul", &[&value, &factor], vec![]);
        steps.named("normalised", "Add", &[&scaled, &offset], vec![])
    }
}

/// The nodes, whose names begin alike, and the image so far.
struct Steps<'a> {
    draft: &'a mut Draft,
    value: String,
}

impl Steps<'_> {
    fn named(&mut self, what: &str, op: &str, inputs: &[&str], attributes: Vec<crate::proto::Attribute>) -> String {
        let inputs = inputs.iter().map(|input| input.to_string()).collect();
        self.draft.node(&format!("preprocessing/{what}"), op, inputs, attributes)
    }

    fn ints(&mut self, what: &str, values: &[usize]) -> String {
        let values: Vec<i64> = values.iter().map(|value| *value as i64).collect();
        self.draft.ints(&format!("preprocessing/{what}"), &values)
    }

    fn resize(&mut self, how: Resizing, [_, height, width]: [usize; 3]) {
        let network = self.ints("network", &[height, width]);
        let sizes = match how {
            Resizing::Stretched => network.clone(),
            Resizing::Covering => self.covering(&network),
            Resizing::Shorter(short) => self.shorter(short),
        };
        let attributes = vec![
            word("mode", "linear"),
            word("coordinate_transformation_mode", "half_pixel"),
            int("antialias", 1),
            ints("axes", &[2, 3]),
        ];
        let value = self.value.clone();
        self.value = self.named("resized", "Resize", &[&value, "", "", &sizes], attributes);
        if how != Resizing::Stretched {
            self.cut(&sizes, &network, how);
        }
    }

    /// Height and width of the images, `[2]`.
    fn given(&mut self) -> String {
        let value = self.value.clone();
        self.named("size", "Shape", &[&value], vec![int("start", 2)])
    }

    /// The sizes of images that just cover `network`.
    fn covering(&mut self, network: &str) -> String {
        let double = || vec![int("to", 11)];
        let given = self.given();
        let given = self.named("given", "Cast", &[&given], double());
        let wanted = self.named("wanted", "Cast", &[network], double());
        let ratios = self.named("ratios", "Div", &[&wanted, &given], vec![]);
        let ratio = self.named("ratio", "ReduceMax", &[&ratios], vec![int("keepdims", 1)]);
        let exact = self.named("exact", "Mul", &[&given, &ratio], vec![]);
        let rounded = self.named("rounded", "Round", &[&exact], vec![]);
        let whole = self.named("whole", "Cast", &[&rounded], vec![int("to", 7)]);
        self.named("sizes", "Max", &[&whole, network], vec![])
    }

    /// The sizes of images whose shorter side has so many pixels; the longer one is rounded down.
    fn shorter(&mut self, short: usize) -> String {
        let short = self.ints("short", &[short]);
        let given = self.given();
        let least = self.named("least", "ReduceMin", &[&given], vec![int("keepdims", 1)]);
        let times = self.named("times", "Mul", &[&given, &short], vec![]);
        self.named("sizes", "Div", &[&times, &least], vec![])
    }

    /// The middle of the images. Half a pixel is rounded down, or, as torchvision does, to the even side.
    fn cut(&mut self, sizes: &str, network: &str, how: Resizing) {
        let more = self.named("margins", "Sub", &[sizes, network], vec![]);
        let starts = match how {
            Resizing::Shorter(_) => {
                let margins = self.named("float_margins", "Cast", &[&more], vec![int("to", 1)]);
                let half = self.draft.scalar("preprocessing/half", 0.5);
                let halves = self.named("halves", "Mul", &[&margins, &half], vec![]);
                let even = self.named("even", "Round", &[&halves], vec![]);
                self.named("starts", "Cast", &[&even], vec![int("to", 7)])
            }
            Resizing::Stretched | Resizing::Covering => {
                let two = self.ints("two", &[2]);
                self.named("starts", "Div", &[&more, &two], vec![])
            }
        };
        let ends = self.named("ends", "Add", &[&starts, network], vec![]);
        let axes = self.ints("axes", &[2, 3]);
        let value = self.value.clone();
        self.value = self.named("middle", "Slice", &[&value, &starts, &ends, &axes], vec![]);
    }
}
