"""Pictures: what is drawn where, in which words; what cannot be drawn is refused before any work is done."""

import numpy as np
import pytest

from matgrad import MatgradError
from matgrad.analysis import (
    compare_methods,
    linearize,
    plot_contours,
    plot_convergence,
    plot_linearization,
    plot_paths,
    plot_spectrum,
)
from matgrad.analysis.plane import plane_of
from matgrad.analysis.setting import Setting

PATHS = {"gradient descent": [[2.0, 1.0], [1.0, -0.5], [0.4, 0.1]], "Newton": [[2.0, 1.0], [0.0, 0.0]]}


def curves(axes):
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def test_paths_in_two_coordinates(tmp_path):
    target = tmp_path / "paths.png"
    figure = plot_paths("x[1]^2 + 4*x[2]^2", "x", {}, PATHS, target, units={"x": "m"})
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x[1]  (m)", "x[2]  (m)")
    assert target.read_bytes().startswith(b"\x89PNG")
    said = curves(axes)
    assert {"gradient descent (2 steps)", "Newton (1 step)", "start", "lowest end: Newton"} <= set(said)
    drawn = [line.get_xydata() for line in axes.lines]
    assert any(np.array_equal(data, PATHS["gradient descent"]) for data in drawn)
    centre = said["its minimum (Newton's full step)"].get_xydata()
    assert np.allclose(centre, 0)  # of a quadratic function the model is exact
    assert figure.legends


def test_paths_on_a_slice_are_projected(tmp_path):
    A = np.diag([9.0, 4.0, 1.0])
    steps = [np.array([1.0, 2.0, 3.0]), np.zeros(3)]
    figure = plot_paths("x'*A*x", "x", {"A": A}, {"Newton": steps}, tmp_path / "p.svg")
    (axes,) = figure.axes
    assert "λ = 18" in axes.get_xlabel()
    assert "λ = 2" in axes.get_ylabel()
    track = next(line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 2)
    assert np.allclose(np.abs(track), [[1, 3], [0, 0]])
    figure = plot_paths("x'*A*x", "x", {"A": A}, {"Newton": steps}, plane=("x[2]", "x[3]"), quadratic=False)
    assert figure.axes[0].get_ylabel() == "x[3]"


def test_points_by_name_and_symmetric_variables():
    steps = [{"S": np.array([[2.0, 0.5], [0.5, 1.0]]), "c": 1.0}, {"S": np.eye(2), "c": 0.0}]
    figure = plot_paths(
        "tr(S*S) + c^2", ["S", "c"], {}, {"path": steps}, plane=("S[2,1]", "c"), where="S: symmetric(2); c: scalar"
    )
    track = next(line.get_xydata() for line in figure.axes[0].lines if len(line.get_xydata()) == 2)
    assert track.tolist() == [[0.5, 1.0], [0.0, 0.0]]


def test_where_the_formula_is_not_defined():
    figure = plot_contours("log(x[1]) - x[1]*x[2]^2", "x", {"x": [0.5, 0.2]}, radius=1)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "not defined" in labels


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"formula": "A*x"}, "a contour is of a scalar"),
        ({"path": "p.bmp"}, "ends in .png, .svg, .pdf"),
        ({"path": "/no/such/folder/p.png"}, "there is no folder"),
        ({"histories": {}}, "there is no path to draw"),
        ({"histories": {"a": []}}, "holds no points"),
        ({"histories": {"a": [[1.0, 2.0], [1.0]]}}, "point 2 of the path a has 1 entries, not 2"),
        ({"plane": ("x[1]", "y[1]")}, "there is no coordinate y"),
        ({"plane": (1, 1)}, "make no plane"),
        ({"plane": ([1.0, 0.0], [2.0, 0.0])}, "lie on one line"),
    ],
)
def test_what_cannot_be_drawn(arguments, said):
    given = {"formula": "x'*A*x", "over": "x", "data": {"A": np.eye(2)}, "histories": {"a": [[1.0, 2.0]]}, **arguments}
    with pytest.raises(MatgradError, match=said.replace("(", r"\(")):
        plot_paths(**given)


def test_spectra():
    axes = plot_spectrum({"start": [3.0, -1.0, 1e-20], "end": np.array([4.0, 2.0])}).axes[0]
    assert list(curves(axes)) == ["start: 1 positive, 1 negative, 1 about 0", "end: all positive, κ = 2"]
    wide = plot_spectrum([1.0, 1e-3, -1e-6], unit="1/m").axes[0]
    assert (wide.get_yscale(), wide.get_ylabel()) == ("log", "|eigenvalue|  (1/m)")
    assert curves(wide)["negative: its size"].get_ydata().tolist() == [1e-6]
    for bad in ([], [np.nan], ["a"]):
        with pytest.raises(MatgradError, match="spectrum"):
            plot_spectrum(bad)


def test_convergence():
    runs = {"gradient descent": [2.0, 1.5, 1.25], "Newton": [2.0, 1.0]}
    figure = plot_convergence(runs, None, gradients={"Newton": [1.0, 0.1]}, unit="J")
    first, second = figure.axes
    assert first.get_ylabel() == "f − lowest f  (J)"
    assert curves(first)["gradient descent"].get_ydata().tolist() == [1.0, 0.5, 0.25]
    assert curves(first)["Newton"].get_ydata().tolist() == [1.0]  # 0 has no place on a logarithmic axis
    assert second.get_ylabel() == "‖∇f‖"
    with pytest.raises(MatgradError, match="no run"):
        plot_convergence({})


def test_error_of_a_linearisation():
    figure = plot_linearization(linearize("sin(x)", {"x": 1.0}))
    said = curves(figure.axes[0])
    for label, order in (("first order: largest (slope 2)", 2), ("second order: largest (slope 3)", 3)):
        distance, error = said[label].get_data()
        assert np.log(error[0] / error[4]) / np.log(distance[0] / distance[4]) == pytest.approx(order, abs=0.1)
    exact = plot_linearization(linearize("A*x", {"A": np.eye(2), "x": [1.0, 2.0]}, "x"))
    assert "first order: none but rounding" in exact.axes[0].get_legend_handles_labels()[1]


def test_methods_from_one_start(tmp_path):
    target, values = tmp_path / "paths.svg", tmp_path / "values.pdf"
    A = np.diag([1.0, 5.0])
    given = {"A": A, "b": [1.0, 2.0]}
    found = compare_methods("x'*A*x/2 - b'*x", "x", given, {"x": [2.0, 1.0]}, path=target, convergence=values)
    assert target.exists()
    assert values.exists()
    for result in found.values():
        assert np.allclose(result.x, [1.0, 0.4], atol=1e-5)
    with pytest.raises(MatgradError, match="sequence of names"):
        compare_methods("x'*x", "x", {}, {"x": [1.0, 2.0]}, "newton")


def test_runs_of_very_different_lengths_have_a_logarithmic_axis():
    axes = plot_convergence({"slow": 0.99 ** np.arange(500), "fast": [1.0, 0.1, 0.0]}).axes[0]
    assert axes.get_xscale() == "log"
    assert curves(axes)["fast"].get_xdata().tolist() == [1, 2]


def test_eigenvectors_of_many_variables():
    """That of the largest eigenvalue is antisymmetric in x[1] and x[2], and the smallest ones are close together."""
    weights = np.linspace(0, 1, 450)
    weights[:2] = 0
    setting = Setting("sum(c.*x.^2) - 10*x[1]*x[2]", {"x": np.zeros(450), "c": weights}, "x")
    hessian = np.diag(2 * weights)
    hessian[[0, 1], [1, 0]] = -10
    values, _ = np.linalg.eigh(hessian)
    for first, second in ((1, -1), (2, 1), (-2, 1)):
        plane = plane_of(setting, (first, second))
        wanted = values[[450 - k if k > 0 else -k - 1 for k in (first, second)]]
        assert np.allclose(plane.basis.T @ plane.basis, np.eye(2))
        assert np.allclose(plane.basis.T @ hessian @ plane.basis, np.diag(wanted), atol=1e-5)
        assert [label.rpartition(" ")[2] for label in plane.labels] == [f"{value:.3g}" for value in wanted]
    flat = plane_of(Setting("sum(x)", {"x": np.zeros(450)}), (1, -1))  # a Hessian of zeros
    assert np.allclose(flat.basis.T @ flat.basis, np.eye(2))


def test_many_variables_and_points_without_a_model():
    x = np.linspace(-1, 1, 450)
    figure = plot_paths("sum(x.^4) + c'*x", "x", {"c": x}, {"path": [x, x / 2]}, plane=("x[1]", "x[450]"))
    assert any("quadratic model" in text.get_text() for text in figure.legends[0].get_texts())
    figure = plot_contours("norm2(x) + x[1]", "x", {"x": [0.0, 0.0]}, radius=1)  # no Hessian at 0
    assert not any("quadratic model" in text.get_text() for text in figure.legends[0].get_texts())
