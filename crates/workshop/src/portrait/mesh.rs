//! Windows of banks, and where features lie in them.

use super::geometry::Place;
use super::measures::Measures;
use super::quantised;

/// The smallest window of a stage around places, with even corner and sides.
pub(super) fn window_around(places: &[Place], stage: u32) -> ([i32; 2], [u32; 2]) {
    let span = |axis: usize| {
        let ends = places.iter().map(|place| place[axis]);
        let most = stage as f32;
        let low = 2.0 * (ends.clone().fold(f32::MAX, f32::min) / 2.0).floor();
        let low = low.clamp(0.0, most - 8.0);
        let high = 2.0 * (ends.fold(f32::MIN, f32::max) / 2.0).ceil();
        let high = high.clamp(low + 8.0, most);
        (low as i32, (high - low) as u32)
    };
    let ((x, width), (y, height)) = (span(0), span(1));
    ([x, y], [width, height])
}

/// A mesh of a window: the places of its upright columns, and row by row the heights at which rows cross them.
///
/// `us` are places across the face that all pictures of a bank share, and `rows` gives the heights of their features there.
/// In a tilted face neither is upright, so that rows are found anew where the columns cross them.
pub(super) fn mesh_of(
    m: &Measures,
    us: &[f32],
    rows: impl Fn(f32) -> Vec<f32>,
    at: [i32; 2],
    size: [u32; 2],
) -> (Vec<f32>, Vec<f32>) {
    let heights: Vec<Vec<f32>> = us.iter().map(|&u| rows(u)).collect();
    let count = heights.first().map_or(0, Vec::len);
    let stage = |u: f32, v: f32| {
        let [x, y] = m.axes.to_stage([u, v]);
        [x - at[0] as f32, y - at[1] as f32]
    };
    let [width, height] = size.map(|side| side as f32);
    let middle = count / 2;
    // Columns stand where the middle row of each place across is; the window's own edges are columns too.
    let mut columns = vec![0.0];
    columns.extend(us.iter().zip(&heights).map(|(&u, heights)| stage(u, heights[middle])[0].clamp(0.0, width)));
    columns.push(width);
    for i in 1..columns.len() {
        columns[i] = quantised(columns[i].max(columns[i - 1]));
    }
    let slope = m.axes.tilt().tan();
    let mut mesh: Vec<Vec<f32>> = vec![vec![0.0; columns.len()]];
    for row in 0..count {
        let points: Vec<Place> = us.iter().zip(&heights).map(|(&u, heights)| stage(u, heights[row])).collect();
        let line = columns.iter().map(|&x| on_line(&points, x, slope).clamp(0.0, height));
        mesh.push(line.map(quantised).collect());
    }
    mesh.push(vec![height; columns.len()]);
    for row in 1..mesh.len() {
        let (above, below) = mesh.split_at_mut(row);
        for (height, &least) in below[0].iter_mut().zip(&above[row - 1]) {
            *height = height.max(least);
        }
    }
    (columns, mesh.concat())
}

/// The height of a line of points at a place; beyond its ends it goes on with a slope.
fn on_line(points: &[Place], x: f32, slope: f32) -> f32 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 0.0 };
    if x <= first[0] {
        return first[1] + (x - first[0]) * slope;
    }
    let found = points.windows(2).find(|pair| x < pair[1][0]);
    match found {
        Some([from, to]) if to[0] > from[0] => {
            from[1] + (to[1] - from[1]) * ((x - from[0]) / (to[0] - from[0])).max(0.0)
        }
        Some([from, _]) => from[1],
        _ => last[1] + (x - last[0]) * slope,
    }
}
