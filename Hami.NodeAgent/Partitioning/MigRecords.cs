using System.Net;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Writes back onto the pods which instances they got: HAMi's three runtime fields of <see cref="HamiKeys.MigAllocations"/>.</summary>
/// <remarks>Compares what is with what should be, so that nothing is lost by a stop or an outage.</remarks>
internal sealed partial class MigRecords(ApiServerClient api, IMigBook book, PodsOnNode watch, TimeProvider time, ILogger<MigRecords> log)
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(30);

    private readonly Dictionary<string, (string Text, int Failures, DateTimeOffset Next)> written = new(StringComparer.Ordinal);

    public async Task Write(IReadOnlyList<MigPod> pods, CancellationToken cancellation)
    {
        var made = book.Made;
        foreach (var pod in pods.Where(p => p.Trusted && made.Any(m => m.PodUid == p.Uid)))
        {
            var told = Told(pod, made);
            if (told is null || watch.Find(pod.Uid)?.Pod is not { } now || now.Annotation(HamiKeys.MigAllocations) == told)
                written.Remove(pod.Uid);
            else if (!written.TryGetValue(pod.Uid, out var last) || last.Text != told || last.Next <= time.GetUtcNow())
                await Patch(now, told, last.Text == told ? last.Failures : 0, cancellation);
        }
        foreach (var over in written.Keys.Except(pods.Select(p => p.Uid), StringComparer.Ordinal).ToList())
            written.Remove(over);
    }

    /// <summary>The annotation with what is known of the pod's instances; null when nothing is.</summary>
    public static string? Told(MigPod pod, IReadOnlyCollection<MadeInstance> made)
    {
        var any = false;
        var records = pod.Reservations.Select(reservation =>
        {
            var seat = pod.SeatOf(reservation);
            if (made.FirstOrDefault(m => m.PodUid == pod.Uid && m.Uuid is not null && m.Seat.Is(seat)) is not { } entry)
                return reservation.Record;
            any = true;
            return reservation.Record with { MigUuid = entry.Uuid, GpuInstanceId = entry.GpuInstance, ComputeInstanceId = entry.ComputeInstance };
        }).ToList();
        return any ? MigAllocations.Encode(records) : null;
    }

    private async Task Patch(Pod pod, string told, int failures, CancellationToken cancellation)
    {
        // The UID is a precondition: another pod of that name has other instances.
        var patch = MergePatch.Annotations(new Dictionary<string, string?>(StringComparer.Ordinal) { [HamiKeys.MigAllocations] = told }, pod.Uid);
        var name = $"{pod.Namespace}/{pod.Name}";
        try
        {
            await Bounded.Call(TimeSpan.FromSeconds(5), c => api.PatchPodAsync(pod.Namespace, pod.Name, patch, c), cancellation);
            LogWritten(name, told);
            // Written, though the watch has not told it yet.
            written[pod.Uid] = (told, 0, time.GetUtcNow() + Again);
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.NotFound)
        {
            written[pod.Uid] = (told, 0, time.GetUtcNow() + Again);
        }
        catch (Exception e) when (Outage.Is(e, cancellation))
        {
            if (failures == 0)
                LogRetry(name, e.Message);
            written[pod.Uid] = (told, failures + 1, time.GetUtcNow() + Outage.BackOff(failures, TimeSpan.FromSeconds(1), Again));
        }
    }

    [LoggerMessage(LogLevel.Information, "Pod {Pod} has {Instances}")]
    private partial void LogWritten(string pod, string instances);

    [LoggerMessage(LogLevel.Warning, "Which MIG instances pod {Pod} has could not be written onto it ({Reason}); trying again")]
    private partial void LogRetry(string pod, string reason);
}
