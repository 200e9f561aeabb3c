using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class RefusingAPod
{
    private static readonly NodeUnfit Full = new("n1", 8, [(CardRefusal.CardInsufficientMemory, 8)]);

    [Fact]
    public void The_message_counts_cards_per_reason_in_words()
    {
        var refused = Refuse(Full, new NodeUnfit("n2", 4, [(CardRefusal.AllocatedCardsInsufficientRequest, 1), (CardRefusal.CardInsufficientMemory, 3)]));

        Assert.Equal(
            "No node has what the pod asks: of 12 cards on 2 nodes, 1 card: usable, but more are needed; 11 cards: too little free memory.",
            refused!.Message);
        Assert.Equal([1, 11], refused.Reasons.Select(r => r.Cards));
        Assert.Equal(["n1", "n2"], refused.Reasons[1].ExampleNodes);
    }

    [Fact]
    public void The_same_reasons_again_are_no_event_and_other_reasons_are()
    {
        var cluster = ClusterLedger.Evolve(ClusterLedger.Empty, Streams.Pod("p"), DateTimeOffset.UnixEpoch, Refuse(Full)!);

        Assert.Null(Refuse(cluster, Full));
        Assert.NotNull(Refuse(cluster, Full with { Counts = [(CardRefusal.CardNotHealth, 8)] }));
    }

    private static PodEvent.PlacementRefused? Refuse(params NodeUnfit[] unfit) => Refuse(ClusterLedger.Empty, unfit);

    private static PodEvent.PlacementRefused? Refuse(ClusterLedger cluster, params NodeUnfit[] unfit) =>
        (PodEvent.PlacementRefused?)RefusePlacementDecider.Decide(new(Asks.Pod("p"), unfit, 0, 7), cluster).Events.SingleOrDefault();
}
