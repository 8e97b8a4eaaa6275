//! Depends on the exporting crate alone, and exports in its turn.
#![deny(warnings)]

shapes::small! {
    /// At a size of its own.
    pub struct Mine: [3, 6, 6] -> [7]
}

fn main() {
    println!("{} {}", Mine::PARAMS, shapes::Small::<10>::PARAMS);
}
