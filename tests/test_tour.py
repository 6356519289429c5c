"""The tour goes through rooms that there are, ends, and comes back; every word is explained."""

import pytest

from workbench.glossary import TERMS
from workbench.views import terms
from workbench.views.rooms import House
from workbench.views.tour import COOKIE, REMEMBER, STOPS, Tour


def press(button):
    button.clicks += 1


def test_stops_are_rooms_that_there_are():
    assert {stop.room for stop in STOPS} <= set(House.param.room.objects)


def test_it_goes_from_stop_to_stop_and_ends():
    went = []
    tour = Tour(went.append, shown=True)
    for stop in STOPS[1:]:
        press(tour.next)
        assert stop.said in tour.words.value
    assert went == [stop.room for stop in STOPS[1:]]
    assert tour.next.label == "Done" and not tour.skip.visible
    press(tour.next)
    assert not tour.layout.visible


def test_it_is_skipped_and_comes_back_from_the_start():
    went = []
    tour = Tour(went.append, shown=True)
    press(tour.next)
    press(tour.skip)
    assert not tour.layout.visible
    tour.again()
    assert tour.layout.visible and STOPS[0].said in tour.words.value
    assert went[-1] == STOPS[0].room


def test_it_begins_in_the_room_that_a_link_names():
    for k, stop in enumerate(STOPS[:4]):
        assert Tour(print, True, stop.room).at == k
    assert not Tour(print, True, "laboratory").layout.visible


def test_every_word_is_explained_under_the_pointer():
    shown = terms.line()
    assert shown.count("title=") == len(TERMS)


@pytest.mark.browser
def test_a_browser_remembers_that_it_met_the_tour(address, page):
    from browsing import PATIENCE, Watch

    watch = Watch(page)
    page.goto(address + "?problem=A_d10_1e-6")
    strip = page.locator(".wb-tour")
    page.get_by_role("button", name="Skip the tour", exact=True).click(timeout=PATIENCE)
    strip.wait_for(state="hidden", timeout=PATIENCE)
    assert COOKIE in REMEMBER and any(c["name"] == COOKIE for c in page.context.cookies())
    page.reload()
    page.locator(".wb-estimate-moments").wait_for(timeout=PATIENCE)
    assert not strip.is_visible()
    page.get_by_role("button", name="Tour", exact=True).click()
    strip.wait_for(timeout=PATIENCE)
    watch.clean()
