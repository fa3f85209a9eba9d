//! Plots as SVG. One follows the reader's light or dark scheme, paper and ink together.

use plotters::{coord::Shift, prelude::*};
use std::{error::Error, fs, path::Path};

/// One plot: a line through its points.
pub struct Panel {
    /// What is shown.
    pub title: String,
    /// What the x axis counts.
    pub x: String,
    /// What the y axis counts, and its unit.
    pub y: String,
    /// The x axis is logarithmic.
    pub log_x: bool,
    /// In the order of x.
    pub points: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (460, 300);
const LINE: RGBColor = RGBColor(47, 129, 247);
const GRID: RGBColor = RGBColor(208, 208, 208);
/// The colours of paper, ink and grid where the reader's scheme is dark.
const DARK: &str = "<style>@media (prefers-color-scheme: dark) {\
    [fill=\"#FFFFFF\"]{fill:#0D1117} [fill=\"#000000\"]{fill:#E6EDF3} \
    [stroke=\"#000000\"]{stroke:#E6EDF3} [stroke=\"#D0D0D0\"]{stroke:#3A414A}}</style>";

/// Draws the panels side by side into one file.
pub fn draw(path: &Path, panels: &[Panel]) {
    let columns = panels.len().min(3);
    let rows = panels.len().div_ceil(columns);
    let mut svg = String::new();
    {
        let size = (SIZE.0 * columns as u32, SIZE.1 * rows as u32);
        let paper = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paper.fill(&WHITE).unwrap();
        for (area, panel) in paper.split_evenly((rows, columns)).iter().zip(panels) {
            draw_one(area, panel).unwrap();
        }
        paper.present().unwrap();
    }
    let head = svg.find('>').unwrap() + 1;
    svg.insert_str(head, DARK);
    // The same points give the same bytes, without blanks at the ends of lines.
    let lines: Vec<&str> = svg.lines().map(str::trim_end).collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_one(area: &Area<'_>, panel: &Panel) -> Result<(), Box<dyn Error>> {
    let place = |x: f64| if panel.log_x { x.log10() } else { x };
    let points: Vec<(f64, f64)> = panel.points.iter().map(|(x, y)| (place(*x), *y)).collect();
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let highest = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    // A line of one point, or of zeros, has a frame, too.
    let (right, top) = (last.max(first + 1e-3), (highest * 1.25).max(1e-3));
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(first..right, 0.0..top)?;
    let count = if panel.log_x {
        (right - first).round() as usize + 1
    } else {
        7
    };
    let name_x = |x: &f64| match panel.log_x {
        true => grouped(10f64.powf(*x)),
        false => short(*x),
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .x_labels(count)
        .x_label_formatter(&name_x)
        .y_label_formatter(&|y| short(*y))
        .x_desc(&panel.x)
        .y_desc(&panel.y)
        .label_style(("sans-serif", 12))
        .axis_desc_style(("sans-serif", 13))
        .draw()?;
    chart.draw_series(LineSeries::new(
        points.iter().copied(),
        LINE.stroke_width(2),
    ))?;
    if points.len() <= 20 {
        let dot = |point: &(f64, f64)| Circle::new(*point, 4, LINE.filled());
        chart.draw_series(points.iter().map(dot))?;
    }
    Ok(())
}

fn short(value: f64) -> String {
    match value {
        _ if value >= 1000.0 => grouped(value),
        _ if value >= 10.0 || value == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

/// A whole number with its thousands set apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
