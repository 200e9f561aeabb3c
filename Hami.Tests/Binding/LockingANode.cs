using Hami.Api;
using Hami.Api.Binding;
using Hami.Api.Plumbing;
using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Binding;

/// <summary>The lock of HAMi's device plugin on the stand-in API server, with its conflicts and lost answers.</summary>
public sealed class LockingANode : IAsyncLifetime
{
    private const string Node = "n1";

    private LabApiServer _server = null!;
    private Kubernetes _kubernetes = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await LabApiServer.StartAsync(new(), CancellationToken.None);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, _server.Kubeconfig);
        _kubernetes = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(file));
        File.Delete(file);
        await _kubernetes.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = Node } });
        foreach (var pod in new[] { "p", "q" })
            await _kubernetes.CoreV1.CreateNamespacedPodAsync(new() { Metadata = new() { Name = pod }, Spec = new() { Containers = [new() { Name = "main", Image = "x" }] } }, "default");
    }

    public async ValueTask DisposeAsync()
    {
        _kubernetes.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [Trait("Hami", "case 78")]
    [InlineData(null)]
    [InlineData("2020-01-01T00:00:00Z,default,q")]
    [InlineData("2020-01-01T00:00:00Z")]
    [InlineData("{0},default,gone")]
    [InlineData("{0},default,p")]
    [Trait("Scoreboard", "F05")]
    public async Task A_free_expired_orphaned_or_own_lock_is_taken_at_once(string? text)
    {
        await WriteAsync(text);
        Assert.Null(await Locks(TimeSpan.Zero).TakeAsync(Node, "default", "p", CancellationToken.None));
        Assert.EndsWith(",default,p", await ReadAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Hami", "case 78")]
    [InlineData("{0},default,q")]
    [InlineData("{0}")]
    [InlineData("lock")]
    public async Task Anothers_is_waited_for_and_the_sentence_is_HAMis(string text)
    {
        await WriteAsync(text);
        Assert.Equal(
            "node n1 has been locked within 5m0s: node lock contention", await Locks(TimeSpan.Zero).TakeAsync(Node, "default", "p", CancellationToken.None));
        Assert.Equal(
            "timed out after 300ms waiting for node n1 to be unlocked: node lock contention",
            await Locks(TimeSpan.FromMilliseconds(300)).TakeAsync(Node, "default", "p", CancellationToken.None));
        Assert.DoesNotContain(",p", await ReadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "F08")]
    public async Task The_expiry_that_was_asked_for_is_the_one_that_counts()
    {
        await WriteAsync($"{DateTimeOffset.UnixEpoch.AddSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - 20):yyyy-MM-dd'T'HH:mm:ss'Z'},default,q");
        Assert.NotNull(await Locks(TimeSpan.Zero).TakeAsync(Node, "default", "p", CancellationToken.None));
        Assert.Null(await Locks(TimeSpan.Zero, expiry: TimeSpan.FromSeconds(10)).TakeAsync(Node, "default", "p", CancellationToken.None));
    }

    [Fact]
    public async Task A_text_that_nobody_can_read_is_taken_over_once_it_has_stood_for_the_expiry()
    {
        await WriteAsync("lock");
        Assert.Null(await Locks(TimeSpan.FromSeconds(30), expiry: TimeSpan.FromMilliseconds(400)).TakeAsync(Node, "default", "p", CancellationToken.None));
    }

    [Fact]
    [Trait("Hami", "case 81")]
    [Trait("Scoreboard", "F05")]
    public async Task Of_two_at_once_in_two_processes_one_gets_it_and_the_other_waits_until_it_is_given_back()
    {
        var (first, second) = (Locks(TimeSpan.FromSeconds(60)), Locks(TimeSpan.FromSeconds(60)));
        var p = first.TakeAsync(Node, "default", "p", CancellationToken.None);
        var q = second.TakeAsync(Node, "default", "q", CancellationToken.None);

        var winner = await Task.WhenAny(p, q);
        Assert.Null(await winner);
        var (holder, other) = winner == p ? ("p", q) : ("q", p);
        await Task.Delay(300);
        Assert.False(other.IsCompleted);
        Assert.EndsWith($",{holder}", await ReadAsync(), StringComparison.Ordinal);
        await first.ReleaseAsync(Node, "default", holder, CancellationToken.None);

        Assert.Null(await other);
        Assert.EndsWith(holder == "p" ? ",q" : ",p", await ReadAsync(), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Hami", "case 80")]
    public async Task A_write_whose_answer_was_lost_and_one_that_came_too_late_are_told_apart()
    {
        var writes = 0;
        _server.Faults.BeforeApply = request => Task.FromResult(IsLock(request) && Interlocked.Increment(ref writes) == 1 ? LabFault.DropReply : LabFault.None);
        Assert.Null(await Locks(TimeSpan.Zero).TakeAsync(Node, "default", "p", CancellationToken.None));
        Assert.Equal(1, writes);

        await WriteAsync(null);
        _server.Faults.BeforeApply = async request =>
        {
            if (!IsLock(request) || Interlocked.Increment(ref writes) != 2)
                return LabFault.None;
            await WriteAsync("{0},default,q");
            return LabFault.None;
        };
        Assert.NotNull(await Locks(TimeSpan.Zero).TakeAsync(Node, "default", "p", CancellationToken.None));
        Assert.EndsWith(",q", await ReadAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Hami", "case 79")]
    [InlineData("{0},default,q", true)]
    [InlineData("{0},default,p", false)]
    [InlineData("2020-01-01T00:00:00Z", false)]
    [InlineData("lock", true)]
    public async Task Only_ones_own_lock_or_one_that_names_nobody_is_given_back(string text, bool kept)
    {
        await WriteAsync(text);
        await Locks(TimeSpan.Zero).ReleaseAsync(Node, "default", "p", CancellationToken.None);
        Assert.Equal(kept, await ReadAsync() is not null);
    }

    [Fact]
    [Trait("Hami", "case 79")]
    public async Task A_lock_that_another_took_meanwhile_is_not_given_back()
    {
        await WriteAsync("{0},default,p");
        var writes = 0;
        _server.Faults.BeforeApply = async request =>
        {
            if (IsLock(request) && Interlocked.Increment(ref writes) == 1)
                await WriteAsync("{0},default,q");
            return LabFault.None;
        };
        await Locks(TimeSpan.Zero).ReleaseAsync(Node, "default", "p", CancellationToken.None);
        Assert.EndsWith(",q", await ReadAsync(), StringComparison.Ordinal);
    }

    // Ours have the node's version in them; those of the test do not.
    private static bool IsLock(LabRequest request) => request.Body.Span.IndexOf("hami.io/mutex.lock"u8) >= 0 && request.Body.Span.IndexOf("resourceVersion"u8) >= 0;

    private NodeLocks Locks(TimeSpan retry, TimeSpan? expiry = null) => new(
        _kubernetes, new NodeLockTimes(expiry ?? TimeSpan.FromMinutes(5), retry), new KeyedLock(), TimeProvider.System, NullLogger<NodeLocks>.Instance);

    private async Task WriteAsync(string? text) => await _kubernetes.CoreV1.PatchNodeAsync(
        new V1Patch(
            System.Text.Json.JsonSerializer.Serialize(new
            {
                metadata = new
                {
                    annotations = new Dictionary<string, string?>(StringComparer.Ordinal)
                    {
                        [HamiKeys.NodeLock] = text?.Replace("{0}", TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"), StringComparison.Ordinal),
                    },
                },
            }), V1Patch.PatchType.MergePatch), Node);

    private async Task<string?> ReadAsync() => (await _kubernetes.CoreV1.ReadNodeAsync(Node)).GetAnnotation(HamiKeys.NodeLock);
}
