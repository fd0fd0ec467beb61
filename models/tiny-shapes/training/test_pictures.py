#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quick checks of the drawn world; needs numpy only. Run: python -m unittest test_pictures"""

import random
import unittest

import numpy as np

import captions
import exam
import pictures
import reading
import scenes

AREAS = {"square": 1.68**2, "triangle": 2.08 * 1.75 / 2, "diamond": 1.56 * 2.30 / 2, "circle": np.pi}
"""Of the shapes whose area is known without measuring, at radius 1."""


class CoverageTest(unittest.TestCase):
    def test_area_is_that_of_the_outline(self) -> None:
        for shape, area in AREAS.items():
            for radius in (8.5, 20.0):
                with self.subTest(shape=shape, radius=radius):
                    got = pictures.coverage(shape, 31.3, 33.8, radius).sum()
                    self.assertAlmostEqual(got / (area * radius**2), 1.0, delta=0.02)

    def test_every_shape_is_symmetric_about_its_axis(self) -> None:
        for shape in pictures.SHAPES:
            with self.subTest(shape=shape):
                got = pictures.coverage(shape, 32.0, 32.0, 18.0)
                np.testing.assert_allclose(got, got[:, ::-1], atol=1e-4)

    def test_distance_is_negative_inside_and_in_units_of_the_radius(self) -> None:
        square = pictures.outline("square")
        points = np.array([[0, 0], [0.84, 0], [1.84, 0], [1.84, 1.84]], np.float32)
        np.testing.assert_allclose(
            pictures.polygon_distance(points, square), [-0.84, 0, 1, np.sqrt(2)], atol=1e-5
        )


class DrawTest(unittest.TestCase):
    def test_figure_covers_its_background(self) -> None:
        figure = pictures.Figure("circle", "red", 32, 32, 10)
        picture = pictures.draw("blue", [figure])
        self.assertEqual(picture.shape, (pictures.SIDE, pictures.SIDE, 3))
        self.assertEqual(tuple(picture[32, 32]), pictures.COLOURS["red"])
        self.assertEqual(tuple(picture[0, 0]), pictures.COLOURS["blue"])


class SceneTest(unittest.TestCase):
    def test_figures_stay_on_the_picture_and_can_be_seen(self) -> None:
        rng = random.Random(1)
        for _ in range(500):
            scene = scenes.sample(rng)
            for figure in scene.figures:
                self.assertNotEqual(figure.colour, scene.background)
                left, top, right, bottom = pictures.extent(figure.shape)
                self.assertGreaterEqual(figure.x + left * figure.radius, 0)
                self.assertGreaterEqual(figure.y + top * figure.radius, 0)
                self.assertLessEqual(figure.x + right * figure.radius, pictures.SIDE)
                self.assertLessEqual(figure.y + bottom * figure.radius, pictures.SIDE)

    def test_relation_is_where_the_first_figure_lies(self) -> None:
        rng = random.Random(2)
        for scene in (scenes.sample(rng) for _ in range(500)):
            if scene.relation is None:
                continue
            first, second = scene.figures
            holds = {"left": first.x < second.x, "right": first.x > second.x, "and": first.x < second.x}
            holds |= {"above": first.y < second.y, "below": first.y > second.y}
            self.assertTrue(holds[scene.relation], scene)

    def test_caption_names_what_the_scene_says_it_names(self) -> None:
        rng = random.Random(3)
        for scene in (scenes.sample(rng) for _ in range(300)):
            text = captions.describe(rng, scene).lower()
            for figure, named in zip(scene.figures, scene.colours_named):
                words = captions.SYNONYMS.get(figure.shape, (figure.shape,))
                self.assertTrue(any(word in text for word in words), text)
                colours = captions.SYNONYMS.get(figure.colour, (figure.colour,))
                self.assertTrue(not named or any(word in text for word in colours), text)


class ReadingTest(unittest.TestCase):
    def test_drawn_figures_are_read_back(self) -> None:
        for colour, background in (("red", "white"), ("yellow", "blue"), ("white", "black")):
            for shape in pictures.SHAPES:
                for radius in (9.0, 14.0, 21.0):
                    with self.subTest(shape=shape, colour=colour, radius=radius):
                        picture = pictures.draw(background, [pictures.Figure(shape, colour, 31.0, 33.0, radius)])
                        behind = reading.background_rgb(picture.astype(np.float32))
                        got = reading.read_figure(picture.astype(np.float32), behind)
                        self.assertEqual((got.colour, got.shape), (colour, shape))
                        self.assertGreater(got.overlap, 0.9)

    def test_empty_picture_holds_nothing(self) -> None:
        picture = pictures.draw("green", []).astype(np.float32)
        self.assertIsNone(reading.read_figure(picture, reading.background_rgb(picture)).shape)


class ExamTest(unittest.TestCase):
    def test_right_pictures_pass_and_swapped_ones_fail(self) -> None:
        question = next(q for q in exam.questions() if q.axis == "row")
        for order, passes in ((1, True), (-1, False)):
            figures = [
                pictures.Figure(shape, colour, x, 32, scenes.PAIR_RADIUS)
                for (colour, shape), x in zip(question.figures, (17.5, 46.5)[::order])
            ]
            picture = pictures.draw(question.background, figures).astype(np.float32)
            self.assertEqual(exam.mark(question, picture).passed, passes)

    def test_questions_are_fixed(self) -> None:
        self.assertEqual(exam.questions(), exam.questions())
        self.assertEqual(len(exam.questions()), 96)


if __name__ == "__main__":
    unittest.main()
