import torch

from recon.order import ViewOrder


def test_every_view_once_per_epoch_in_changing_order() -> None:
    torch.manual_seed(0)
    order = ViewOrder(7)
    epochs = [[order.next() for _ in range(7)] for _ in range(5)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_what_follows_is_known_within_an_epoch() -> None:
    torch.manual_seed(0)
    order = ViewOrder(4)
    for step in range(12):
        following = order.following()
        assert (following is None) == (step % 4 == 0)
        assert order.next() == following or following is None


def test_it_goes_on_where_it_was() -> None:
    torch.manual_seed(0)
    order = ViewOrder(9)
    for _ in range(5):
        order.next()
    state, generator = order.state(), torch.get_rng_state()
    expected = [order.next() for _ in range(20)]
    other = ViewOrder(9)
    other.restore(state)
    torch.set_rng_state(generator)
    assert [other.next() for _ in range(20)] == expected
