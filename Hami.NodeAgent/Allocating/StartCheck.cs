using Grpc.Core;
using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Allocating;

/// <summary>Answers PreStartContainer: the last look before a container exists, and the gentler one, as the kubelet tries again.</summary>
internal sealed partial class StartCheck(
    PodsOnNode watch, PodsWithShares pods, PodResources podResources, Checkpoint checkpoint, HandedOut handedOut,
    ContainerDirectories directories, ILogger<StartCheck> log)
{
    /// <exception cref="RpcException">The devices are not this container's; the detail says what to do.</exception>
    public async Task Check(IEnumerable<string> deviceIds, CancellationToken cancellation)
    {
        var ids = deviceIds.ToHashSet(StringComparer.Ordinal);
        var entries = checkpoint.Read();
        var listing = entries is null ? await podResources.List(cancellation) : null;
        var verdict = Decide(pods.Watched, watch.Synced);
        if (verdict.Refusal is not null)
        {
            // The watch may be behind; with the API server away what the kubelet kept has to do.
            var fresh = await pods.Read(cancellation);
            verdict = Decide(fresh ?? [], podsKnown: fresh is not null);
        }

        if (verdict.Warning is not null)
            LogUnverified(verdict.Warning);
        if (verdict.Refusal is null)
            Prepare(verdict);
        else
        {
            LogRefused(verdict.Refusal);
            throw new RpcException(new Status(StatusCode.FailedPrecondition, verdict.Refusal));
        }

        StartVerdict Decide(IReadOnlyList<PodOnNode> known, bool podsKnown) =>
            StartVerdict.Decide(ids, entries, listing, handedOut.With(ids), known, podsKnown, directories.Of);
    }

    private void Prepare(StartVerdict verdict)
    {
        foreach (var (uid, container) in verdict.Containers)
        {
            try
            {
                directories.Prepare(uid, container);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new RpcException(new Status(StatusCode.Internal,
                    $"The directory {directories.Of(uid, container)} could not be made ({e.Message}); see to the node's disk and permissions."));
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Sentence}")]
    private partial void LogUnverified(string sentence);

    [LoggerMessage(LogLevel.Error, "PreStartContainer refused: {Sentence}")]
    private partial void LogRefused(string sentence);
}
