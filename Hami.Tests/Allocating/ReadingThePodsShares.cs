using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

public sealed class ReadingThePodsShares
{
    private const string A = "GPU-a,NVIDIA,3000,50:";
    private const string B = "GPU-b,NVIDIA,4000,60:";

    [Theory]
    [InlineData($"{A};", 0, "c0:GPU-a")]
    [InlineData($"{A}{B};", 0, "c0:GPU-a+GPU-b")]
    [InlineData($";{A};", 1, "c0:GPU-a")]
    [InlineData($"{B};{A};", 1, "i0:GPU-b c0:GPU-a")]
    [InlineData($"{B};{A};;;", 1, "i0:GPU-b c0:GPU-a")]
    public void An_aligned_list_is_read_by_position(string list, int initContainers, string shares) =>
        Assert.Equal(shares, Shares(list, [1], [.. Enumerable.Repeat(0, initContainers)]));

    [Theory]
    // What HAMi v2.10 writes when it drops the entries of containers that ask for nothing.
    [InlineData($"{A};{B};", new[] { 0, 1, 0, 1 }, new int[0], "c1:GPU-a c3:GPU-b")]
    [InlineData($"{A};", new[] { 0, 1 }, new[] { 0 }, "c1:GPU-a")]
    [InlineData($"{A};{B};;", new[] { 0, 1 }, new[] { 1, 0 }, "i0:GPU-a c1:GPU-b")]
    public void A_compacted_list_is_dealt_to_the_containers_that_ask(string list, int[] apps, int[] init, string shares) =>
        Assert.Equal(shares, Shares(list, apps, init));

    [Theory]
    [InlineData($"{A};{B};{A};", "does not fit them")]
    [InlineData("GPU-a,NVIDIA,3000:;;", "cannot be read")]
    [InlineData("GPU-a,NVIDIA,much,50:;;", "cannot be read")]
    public void A_list_that_cannot_be_meant_for_the_pod_is_a_fault_in_words(string list, string says) =>
        Assert.Contains(says, Seen(Pod("p", list, [1, 1])).Fault, StringComparison.Ordinal);

    [Fact]
    public void A_pod_that_another_scheduler_placed_has_no_allocation_and_the_sentence_says_what_to_do()
    {
        var pod = Seen(Pod("p", null, [1]));
        Assert.True(pod.Asks);
        Assert.Contains("schedulerName", pod.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("1", true)]
    [InlineData("false", false)]
    [InlineData("yes", false)]
    public void Only_the_words_that_HAMi_takes_for_true_leave_the_library_out(string value, bool unlimited)
    {
        var pod = Pod("p", $"{A};", [1]);
        pod.Spec.Containers[0].Env = [new() { Name = "CUDA_DISABLE_CONTROL", Value = value }];
        Assert.Equal(unlimited, Seen(pod).Containers[0].Unlimited);
    }

    private static string Shares(string list, int[] apps, int[] init) => string.Join(' ',
        Seen(Pod("p", list, apps, init)).Shares.Select(c => $"{c.Name}:{string.Join('+', c.Devices.Select(d => d.Uuid))}"));
}
