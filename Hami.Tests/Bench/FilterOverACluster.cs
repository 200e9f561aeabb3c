using Hami.Bench.Filter;

namespace Hami.Tests.Bench;

public sealed class FilterOverACluster
{
    /// <remarks>It puts the product's filter together itself, so that what the product needs anew is missing there without a word of the compiler's.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_shape_is_asked_for_and_counted(bool http)
    {
        var report = await new FilterRun(new(nodes: 3, devices: 2, seed: 4), policy: null).MeasureAsync(calls: 100, http, TestContext.Current.CancellationToken);

        Assert.Equal(100, report.Shapes.Sum(shape => shape.Calls));
        Assert.All(report.Shapes, shape => Assert.InRange(shape.Calls, 1, 100));
    }
}
