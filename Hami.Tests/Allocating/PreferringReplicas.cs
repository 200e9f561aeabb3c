using Hami.NodeAgent.Allocating;

namespace Hami.Tests.Allocating;

public sealed class PreferringReplicas
{
    [Theory]
    [InlineData("a-0 a-1 b-0 c-0 d-0 d-1", "d-1", 4, "a b c d", "d-1 a-0 b-0 c-0")]
    [InlineData("b-0 a-1 a-0", "", 1, "a", "a-0")]
    [InlineData("a-0", "a-7", 1, "a", "a-7")]
    public void Replicas_of_the_chosen_cards_are_preferred(string available, string must, int size, string cards, string expected) =>
        Assert.Equal(expected, Choose(available, must, size, cards));

    [Theory]
    [InlineData("b-0 b-1", "", 1, "a")]
    [InlineData("a-0 a-1", "", 2, "a")]
    [InlineData("a-0", "b-0", 1, "a")]
    public void Where_the_chosen_cards_cannot_be_had_the_kubelet_picks(string available, string must, int size, string cards) =>
        Assert.Equal("", Choose(available, must, size, cards));

    [Fact]
    public void A_replica_is_its_card_and_a_number() =>
        Assert.Equal("GPU-03f69c50-207a-2038-9b45-23cac89cb67a", Replicas.CardOf("GPU-03f69c50-207a-2038-9b45-23cac89cb67a-10"));

    private static string Choose(string available, string must, int size, string cards) =>
        string.Join(' ', PreferredReplicas.Choose(Words(available), Words(must), size, Words(cards)));

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
