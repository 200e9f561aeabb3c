using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Tests.Protocol;

public sealed class DeviceLists
{
    [Fact]
    [Trait("Hami", "case 30")]
    [Trait("Scoreboard", "F06")]
    public void A_pod_with_one_device_says_so_in_both_annotations()
    {
        var annotations = BindingAnnotations.Annotations(
            new(Guid.NewGuid(), "uid", "default", "p", 1, [new(0, "main", false, "nvidia-device-0", 2000, 1)], AllocationPhase.Placed),
            "n1", DateTimeOffset.FromUnixTimeSeconds(1_754_006_400));

        Assert.Equal("nvidia-device-0,NVIDIA,2000,1:;", annotations[HamiKeys.DevicesAllocated]);
        Assert.Equal("nvidia-device-0,NVIDIA,2000,1:;", annotations[HamiKeys.DevicesToAllocate]);
        Assert.Equal(("n1", "1754006400", "1754006400", "allocating"),
            (annotations[HamiKeys.PodNode], annotations[HamiKeys.PodTime], annotations[HamiKeys.BindTime], annotations[HamiKeys.BindPhase]));
    }

    [Theory]
    [Trait("Hami", "case 31")]
    [InlineData(";GPU-a,NVIDIA,3000,30:GPU-b,NVIDIA,3000,30:;;", new[] { 0, 2, 0 })]
    [InlineData("GPU-a,NVIDIA,3000,30:;", new[] { 1 })]
    [InlineData(";", new[] { 0 })]
    [InlineData("A,NVIDIA,500,3:;B,NVIDIA,500,3:;", new[] { 1, 1 })]
    public void A_list_says_how_many_cards_each_container_has(string text, int[] cards)
    {
        var containers = DeviceList.Decode(text);

        Assert.Equal(cards, containers.Select(c => c.Count));
        Assert.Equal(text, DeviceList.Encode(containers));
    }

    [Theory]
    [Trait("Hami", "case 32")]
    [InlineData("uuid,type,100:;", "3 fields")]
    [InlineData("uuid,type,much,1:;", "not a 32-bit integer")]
    [InlineData("uuid,type,99999999999,1:;", "not a 32-bit integer")]
    public void A_list_that_cannot_be_read_says_why(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => DeviceList.Decode(text)).Message, StringComparison.Ordinal);
}
