"""The page's looks: one column, prints on A4, no fonts or files from elsewhere."""

from __future__ import annotations

from typing import Final

__all__ = ["CSS"]

CSS: Final = """
:root { --ink: #1b1f24; --soft: #5b6470; --line: #d8dde3; --warn: #8a4b00; --warn-bg: #fff4e0; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink); margin: 0;
  background: #f3f5f7; }
main { max-width: 860px; margin: 24px auto; background: #fff; padding: 32px 40px;
  border: 1px solid var(--line); }
h1 { font-size: 20px; margin: 0 0 4px; }
h2 { font-size: 15px; margin: 28px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--line); }
h3 { font-size: 14px; margin: 18px 0 4px; }
p { margin: 6px 0; }
small, .soft { color: var(--soft); }
.banner { background: var(--warn-bg); color: var(--warn); border: 1px solid #e6c48a; padding: 8px 12px;
  margin: 12px 0; font-weight: 600; }
.call { display: flex; gap: 28px; align-items: center; margin: 18px 0 6px; }
.score { font-size: 64px; font-weight: 700; line-height: 1; min-width: 120px; text-align: center;
  border: 3px solid var(--ink); padding: 12px 16px; }
.score.none { font-size: 26px; }
.headline { font-size: 22px; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 4px 8px 4px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.c { font: 11px ui-monospace, "DejaVu Sans Mono", monospace; word-break: break-all; }
tr.decides td { font-weight: 600; }
ul { margin: 6px 0; padding-left: 20px; }
.pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
.pictures.three { grid-template-columns: 1fr 1fr 1fr; }
figure { margin: 0; break-inside: avoid; }
figure img { width: 100%; border: 1px solid var(--line); display: block; }
figcaption { font-size: 13px; color: var(--soft); margin-top: 4px; }
.legend span { display: inline-block; margin-right: 14px; font-size: 13px; }
.legend i { display: inline-block; width: 11px; height: 11px; margin-right: 5px; border: 1px solid #0003; }
code { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; word-break: break-all; }
footer { margin-top: 28px; padding-top: 10px; border-top: 1px solid var(--line); font-weight: 600; }
@page { size: A4; margin: 16mm 14mm; }
@media print { body { background: #fff; } main { border: 0; margin: 0; padding: 0; max-width: none; }
  h2 { break-after: avoid; } table { break-inside: avoid; } }
"""
