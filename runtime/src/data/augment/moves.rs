//! Movements of planes of numbers, of whatever type: values of an image, classes of a mask.

/// More than any coordinate.
const FAR: f64 = 1e6;

/// Left for right, in rows of this width.
pub fn flip<T>(values: &mut [T], width: usize) {
    values.chunks_exact_mut(width.max(1)).for_each(<[T]>::reverse);
}

/// Moves planes of this height and width down and to the right; what comes in is `outside`.
pub fn shift<T: Copy>(values: &mut [T], [height, width]: [usize; 2], [down, right]: [isize; 2], outside: T) {
    let source = values.to_vec();
    for (row, line) in values.chunks_exact_mut(width).enumerate() {
        let (plane, y) = (row / height * height * width, (row % height) as isize - down);
        for (x, value) in line.iter_mut().enumerate() {
            let x = x as isize - right;
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
            *value = if inside { source[plane + y as usize * width + x as usize] } else { outside };
        }
    }
}

/// From which row and column a pixel comes, given its own, where an image of this size turns about its middle, against the clock.
pub fn turned_from([height, width]: [usize; 2], angle: f64) -> impl Fn(usize, usize) -> (f64, f64) {
    let (sin, cos) = angle.sin_cos();
    let (cy, cx) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
    move |y, x| {
        let (dy, dx) = (y as f64 - cy, x as f64 - cx);
        (cy + cos * dy + sin * dx, cx - sin * dy + cos * dx)
    }
}

/// The number rounded down, cut off above zero, since `floor` is a call where the processor's own may not be used.
pub fn floor(x: f64) -> isize {
    (x + FAR) as isize - FAR as isize
}

/// Turns a plane about its middle, against the clock: each pixel becomes the one that is nearest to where it comes from, or `outside`.
pub fn turn<T: Copy>(values: &mut [T], size: [usize; 2], angle: f64, outside: T) {
    let [height, width] = size;
    let (source, from) = (values.to_vec(), turned_from(size, angle));
    for (i, value) in values.iter_mut().enumerate() {
        let (y, x) = from(i / width, i % width);
        let (y, x) = (floor(y + 0.5) as usize, floor(x + 0.5) as usize);
        // What is below zero is above all as an unsigned number.
        *value = if y < height && x < width { source[y * width + x] } else { outside };
    }
}
