namespace Hami.Tests.Lab;

/// <summary>Whatever many clients do at once, each watcher sees exactly the history of what it watches.</summary>
/// <remarks>
/// Writers create, patch, replace, bind and delete at random; watchers begin at random moments, some are slow, all hang up and resume again and
/// again. The order of the writes is the machine's; what each client tries is the seed's, and a failure names it.
/// </remarks>
public sealed class ApiServerHistories : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hami-lab-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Each_watcher_sees_exactly_the_history_of_its_selection(int seed) =>
        await new ApiServerHistoriesRun(seed, Path.Combine(_folder, "store.jsonl")).Hold(lives: 1, writers: 4, writes: 60, watchers: 10);

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task So_it_does_over_a_server_that_goes_down_in_the_middle(int seed) =>
        await new ApiServerHistoriesRun(seed, Path.Combine(_folder, "store.jsonl")).Hold(lives: 3, writers: 4, writes: 60, watchers: 8);

    [Fact]
    [Trait("Category", "Long")]
    public async Task So_it_does_many_times_over()
    {
        for (var seed = 100; seed < 125; seed++)
            await new ApiServerHistoriesRun(seed, Path.Combine(_folder, $"{seed}.jsonl")).Hold(lives: seed % 4 + 1, writers: 8, writes: 300, watchers: 24);
    }
}
