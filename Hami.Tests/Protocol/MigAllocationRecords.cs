using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Tests.Protocol;

/// <summary>The record of MIG instances that the scheduler writes and the device plugin completes.</summary>
public sealed class MigAllocationRecords
{
    private const string OnePlace = "\"placement\":{\"start\":2,\"size\":2}";

    [Fact]
    [Trait("Scoreboard", "E04")]
    public void A_Binding_with_MIG_shares_carries_card_profile_and_placement_of_each_init_containers_first()
    {
        var allocation = new Allocation(
            Guid.NewGuid(), "uid", "default", "p", 3,
            [
                new(0, "prepare", true, "GPU-a", 4864, 15, new("1g.5gb", 6, 1)),
                new(2, "main", false, "GPU-b", 3000, 30),
                new(2, "main", false, "GPU-a", 9856, 28, new("2g.10gb", 2, 2)),
            ],
            AllocationPhase.Placed);

        var text = BindingAnnotations.Annotations(allocation, "n1", DateTimeOffset.UnixEpoch)[HamiKeys.MigAllocations];

        Assert.Equal(
            """[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g.5gb","placement":{"start":6,"size":1}},{"containerIndex":2,"deviceIndex":1,"gpuUUID":"GPU-a","profile":"2g.10gb","placement":{"start":2,"size":2}}]""",
            text);
        Assert.Equal(2, MigAllocations.Decode(text).Count);
    }

    [Fact]
    public void A_Binding_without_MIG_shares_carries_none() =>
        Assert.DoesNotContain(HamiKeys.MigAllocations, BindingAnnotations.Annotations(
            new(Guid.NewGuid(), "uid", "default", "p", 1, [new(0, "main", false, "GPU-a", 1, 1)], AllocationPhase.Placed), "n1", DateTimeOffset.UnixEpoch).Keys);

    [Fact]
    [Trait("Hami", "case 77")]
    [Trait("Scoreboard", "E04")]
    public void What_the_plugin_adds_is_kept_and_its_ids_may_be_0()
    {
        var text = $$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"2g.10gb",{{OnePlace}},"migUUID":"MIG-x","gpuInstanceID":0,"computeInstanceID":0}]""";

        var read = Assert.Single(MigAllocations.Decode(text));

        Assert.Equal(("MIG-x", 0, 0), (read.MigUuid, read.GpuInstanceId, read.ComputeInstanceId));
        Assert.Equal(text, MigAllocations.Encode([read]));
    }

    [Theory]
    [Trait("Hami", "case 77")]
    [InlineData($$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a","profile":"p",{{OnePlace}}},{"containerIndex":0,"deviceIndex":0,"gpuUUID":"b","profile":"p",{{OnePlace}}}]""", "two entries for device 0 of container 0")]
    [InlineData($$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a","profile":"p",{{OnePlace}},"migUUID":"MIG-x"}]""", "but not all")]
    [InlineData($$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a","profile":"p",{{OnePlace}},"gpuInstanceID":0,"computeInstanceID":0}]""", "but not all")]
    [InlineData($$"""[{"containerIndex":-1,"deviceIndex":0,"gpuUUID":"a","profile":"p",{{OnePlace}}}]""", "negative")]
    [InlineData($$"""[{"containerIndex":0,"deviceIndex":-1,"gpuUUID":"a","profile":"p",{{OnePlace}}}]""", "negative")]
    [InlineData($$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"","profile":"p",{{OnePlace}}}]""", "without gpuUUID or profile")]
    [InlineData($$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a",{{OnePlace}}}]""", "without gpuUUID or profile")]
    [InlineData("""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a","profile":"p","placement":{"start":0,"size":0}}]""", "not within memory slices")]
    [InlineData("""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a","profile":"p","placement":{"start":63,"size":2}}]""", "not within memory slices")]
    [InlineData("""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"a","profile":"p"}]""", "not within memory slices")]
    [InlineData("[null]", "null")]
    [InlineData("null", "null")]
    [InlineData("{}", "not a JSON array")]
    [InlineData("oops", "not a JSON array")]
    public void One_bad_entry_makes_the_record_unusable_and_the_sentence_says_which(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => MigAllocations.Decode(text)).Message, StringComparison.Ordinal);
}
