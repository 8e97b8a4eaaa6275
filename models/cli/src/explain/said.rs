//! What a network says about an image, in words, and what is asked about it unless the user says what: of classes the most probable one, of
//! masks the one with the most pixels.

use super::softmax;
use convnet::explain::strongest_channel;
use convnet::graph::Graph;
use convnet::objective::{Numbers, Task, best, sigmoid};
use convnet::wording::short;

/// What a network says about an image.
pub struct Said {
    /// The class, label, number or channel of the output that is asked about.
    pub asked: usize,
    /// In words.
    pub text: String,
}

impl Said {
    /// What the output for an image says; `None` where it has values that are not numbers.
    pub fn of(task: Task, graph: &Graph, names: &[String], numbers: Option<&Numbers>, output: &[f32]) -> Option<Self> {
        let strongest = best(output)?;
        let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| i.to_string());
        Some(match task {
            Task::Masks => masks(graph, name, output),
            Task::MultiLabel => {
                let share = |i: usize| sigmoid(f64::from(output[i])) * 100.0;
                let there = (0..output.len()).filter(|i| share(*i) >= 50.0 || *i == strongest);
                let text = there.map(|i| format!("{} ({:.1} %)", name(i), share(i))).collect::<Vec<_>>().join(", ");
                Said { asked: strongest, text }
            }
            Task::Numbers => {
                let values = numbers.map_or_else(|| output.to_vec(), |numbers| numbers.decode(output));
                let text =
                    values.iter().enumerate().map(|(i, value)| format!("{} {}", name(i), short(f64::from(*value))));
                Said { asked: 0, text: text.collect::<Vec<_>>().join(", ") }
            }
            Task::Itself => Said { asked: 0, text: "an image".into() },
            _ => {
                let probability = softmax(output)[strongest];
                Said { asked: strongest, text: format!("{} ({:.1} %)", name(strongest), probability * 100.0) }
            }
        })
    }
}

/// The classes by their shares of the pixels. What is asked about is the largest of those that have any, the first class, which is the ground in
/// most datasets, only where it has all.
fn masks(graph: &Graph, name: impl Fn(usize) -> String, output: &[f32]) -> Said {
    let [channels, height, width] = graph.output_shape().chw();
    let mut pixels = vec![0_usize; channels];
    (0..height * width).for_each(|at| pixels[strongest_channel(output, height * width, at)] += 1);
    let mut classes: Vec<usize> = (0..channels).filter(|class| pixels[*class] > 0).collect();
    classes.sort_by_key(|class| std::cmp::Reverse(pixels[*class]));
    let asked = classes.iter().copied().find(|class| *class > 0).or(classes.first().copied()).unwrap_or(0);
    let share =
        |class: &usize| format!("{} {:.1} %", name(*class), 100.0 * pixels[*class] as f64 / (height * width) as f64);
    let shares: Vec<String> = classes.iter().take(4).map(share).collect();
    Said { asked, text: format!("{} of the pixels", shares.join(", ")) }
}
