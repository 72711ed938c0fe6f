"""The picture: a panel for each shape, a bar for each server."""

from xml.sax.saxutils import escape

from .shapes import CPU, LABELS

WIDTH = 980
LABEL = 400
BAR = 16
GAP = 6
TITLE = 26
AXIS = 40
MARGIN = 16
# A value may stand on a line of the grid.
HALO = {"stroke": "white", "stroke_width": 4, "paint_order": "stroke"}
OURS, OTHERS, INK, FAINT = "#b4451f", "#7d8ba1", "#1d2430", "#d8dce3"


def steps(largest):
    """Round marks from 0 to beyond the largest value."""
    decade = 1.0
    while decade > largest:
        decade /= 10
    while decade * 10 <= largest:
        decade *= 10
    step = next(factor * decade for factor in (0.2, 0.5, 1, 2, 5) if factor * decade * 6 > largest)
    count = int(largest / step) + 1
    return [step * mark for mark in range(count + 1)]


def text(x, y, words, anchor="start", **style):
    style = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def short(shape, value):
    return f"{value:,.2f}" if shape.key == CPU else f"{value:,.0f}"


def panel(top, shape, bars):
    """The elements of one panel, and where it ends."""
    marks = steps(max(value for _, value in bars))
    right = WIDTH - MARGIN - 70
    scale = (right - LABEL) / marks[-1]
    begin = top + TITLE
    end = begin + len(bars) * (BAR + GAP) + GAP
    drawn = [text(MARGIN, top + 14, shape.title[0].upper() + shape.title[1:], font_weight="bold")]
    for mark in marks:
        x = LABEL + mark * scale
        drawn.append(f'<path d="M{x:.1f} {begin}V{end}" stroke="{FAINT}"/>')
        drawn.append(text(x, end + 14, f"{mark:,g}", "middle", font_size=11))
    drawn.append(text((LABEL + right) / 2, end + 29, shape.unit, "middle", font_size=11))
    for number, (server, value) in enumerate(bars):
        y = begin + GAP + number * (BAR + GAP)
        colour = OURS if server.startswith("switch") else OTHERS
        drawn.append(text(LABEL - 8, y + BAR - 4, LABELS[server].replace("*", ""), "end"))
        drawn.append(f'<rect x="{LABEL}" y="{y}" width="{value * scale:.1f}" height="{BAR}" fill="{colour}"/>')
        drawn.append(text(LABEL + value * scale + 6, y + BAR - 4, short(shape, value), **HALO))
    return drawn, end + AXIS


def draw(results, shapes):
    top, drawn = MARGIN, []
    for shape in shapes:
        bars = [(server, value) for server in shape.servers
                if (value := results.median(shape.name, server, shape.key)) is not None]
        if bars:
            elements, top = panel(top, shape, bars)
            drawn += elements
            top += GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" viewBox="0 0 {WIDTH} {top}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}">',
        '<rect width="100%" height="100%" fill="white"/>',
        *drawn,
        "</svg>",
        "",
    ])
