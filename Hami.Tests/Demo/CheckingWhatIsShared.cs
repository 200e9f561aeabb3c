using Hami.Lab.Cluster;
using Hami.Lab.Demo;

namespace Hami.Tests.Demo;

public sealed class CheckingWhatIsShared
{
    private static readonly string Card = LabNode.Three[0].Cards[0].Uuid;

    public static TheoryData<long, int, long, int, string?> Neighbours => new()
    {
        { 10240, 0, 3000, 50, null },
        { 20000, 0, 5000, 0, "24564 MiB, of which 25000" },
        { 100, 60, 100, 60, "120 % of the cores" },
        { 100, 100, 100, 0, "whole, and again" },
    };

    [Theory]
    [MemberData(nameof(Neighbours))]
    public void Two_shares_of_a_card_must_fit_it(long memory, int cores, long otherMemory, int otherCores, string? complaint)
    {
        var complaints = SharingCheck.Complaints([new(Card, memory, cores), new(Card, otherMemory, otherCores)], LabNode.Three);
        if (complaint is null)
            Assert.Empty(complaints);
        else
            Assert.Contains(complaint, Assert.Single(complaints), StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_that_no_node_has_cannot_be_shared() =>
        Assert.Equal(["GPU-none is given away but no node has it."], SharingCheck.Complaints([new("GPU-none", 1, 0)], LabNode.Three));
}
