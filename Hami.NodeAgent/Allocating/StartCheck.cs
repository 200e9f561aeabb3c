using Grpc.Core;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Allocating;

/// <summary>Answers PreStartContainer: the last look before a container exists, and the gentler one, as the kubelet tries again.</summary>
internal sealed partial class StartCheck(
    PodsOnNode watch, PodsWithShares pods, IPodResources podResources, Checkpoint checkpoint, HandedOut handedOut,
    ContainerDirectories directories, AgentOptions options, SettingsInForce settings, ILogger<StartCheck> log)
{
    /// <returns>The containers that it can be, as far as they are known.</returns>
    /// <exception cref="RpcException">The devices are not this container's; the detail says what to do.</exception>
    public async Task<IReadOnlyList<(PodOnNode Pod, ContainerShare Container)>> Check(IEnumerable<string> deviceIds, CancellationToken cancellation)
    {
        var ids = deviceIds.ToHashSet(StringComparer.Ordinal);
        var entries = checkpoint.Read();
        var listing = entries is null ? await podResources.List(cancellation) : null;
        var known = pods.Watched;
        var verdict = Decide(known, watch.Synced);
        if (verdict.Refusal is not null)
        {
            // The watch may be behind; with the API server away what the kubelet kept has to do.
            var fresh = await pods.Read(cancellation);
            known = fresh ?? [];
            verdict = Decide(known, podsKnown: fresh is not null);
        }

        if (verdict.Warning is not null)
            LogUnverified(verdict.Warning);
        if (verdict.Refusal is { } refusal)
            throw Refused(StatusCode.FailedPrecondition, refusal);
        if (!FillAll(known) && !(await pods.Read(cancellation) is { } told && FillAll(told)))
            throw Refused(StatusCode.FailedPrecondition, $"What the container with {string.Join(", ", ids.Order(StringComparer.Ordinal))} was granted is not known before the API server answers; the kubelet will try again.");
        return
        [
            .. from meant in verdict.Containers
               from pod in known
               where pod.Uid == meant.PodUid && pod.Fault is null
               from container in pod.Shares
               where container.Name == meant.Container
               select (pod, container),
        ];

        bool FillAll(IReadOnlyList<PodOnNode> known) => verdict.Containers.Aggregate(false, (filled, c) => Fill(c.PodUid, c.Container, entries, known) || filled);

        StartVerdict Decide(IReadOnlyList<PodOnNode> known, bool podsKnown) =>
            StartVerdict.Decide(ids, entries, listing, handedOut.With(ids), known, podsKnown, directories.Of);
    }

    /// <summary>Of two containers that can be meant, an init container and one that has its ids again, only one may be left; false when it cannot be told what it was granted.</summary>
    private bool Fill(string uid, string container, IReadOnlyList<CheckpointEntry>? entries, IReadOnlyList<PodOnNode> known)
    {
        var entry = entries?.FirstOrDefault(e => e.PodUid == uid && e.Container == container);
        // A MIG device needs no library.
        if (entry is { HasAnswer: true, PreparedFor: null })
            return true;
        try
        {
            if (entry is { WritesItsFolder: true })
            {
                directories.KeepWritable(uid, container);
                return true;
            }
            if (!options.Handing.LimitsByFile)
            {
                directories.Prepare(uid, container, grant: null);
                return true;
            }
            var share = known.FirstOrDefault(p => p.Uid == uid && p.Fault is null)?.Shares.FirstOrDefault(c => c.Name == container);
            var grant = share is null ? directories.Kept(uid, container) : LimitsFile.Text(share, options, settings.Current);
            if (grant is null)
                return false;
            directories.Prepare(uid, container, grant);
            directories.Fill(uid, container, grant);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused(StatusCode.Internal, $"The directory {directories.Of(uid, container)} could not be made ({e.Message}); see to the node's disk and permissions.");
        }
    }

    private RpcException Refused(StatusCode code, string sentence)
    {
        LogRefused(sentence);
        return new(new Status(code, sentence));
    }

    [LoggerMessage(LogLevel.Warning, "{Sentence}")]
    private partial void LogUnverified(string sentence);

    [LoggerMessage(LogLevel.Error, "PreStartContainer refused: {Sentence}")]
    private partial void LogRefused(string sentence);
}
