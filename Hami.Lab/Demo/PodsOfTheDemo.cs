using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Lab.Cluster;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Demo;

/// <summary>The demo's pods, through the same doors that kubectl and a GraphQL client use.</summary>
internal sealed class PodsOfTheDemo(LabCluster cluster)
{
    private const string Container = "cuda";
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);
    private string Namespace => cluster.Namespace;

    private readonly Dictionary<string, string> _uids = new(StringComparer.Ordinal);

    /// <summary>Creates what the workload's file holds, as <c>kubectl create -f</c> would: our YAML, not a typed object, crosses the wire.</summary>
    public async Task ApplyAsync(Workload workload, CancellationToken ct)
    {
        var yaml = await File.ReadAllTextAsync(Path.Combine(BuiltPrograms.Examples, workload.File), ct);
        foreach (var manifest in Manifests.Read(yaml))
        {
            manifest["metadata"]!["name"] = workload.Name;
            if (workload.OnlyModel is { } model)
                manifest["metadata"]!["annotations"]!["nvidia.com/use-gputype"] = model;
            cluster.Prepare(manifest);
            var kubernetes = (Kubernetes)cluster.Kubernetes;
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(kubernetes.BaseUri, $"api/v1/namespaces/{Namespace}/pods"))
            {
                Content = new StringContent(manifest.ToJsonString(), Encoding.UTF8, "application/json"),
            };
            if (kubernetes.Credentials is { } credentials)
                await credentials.ProcessHttpRequestAsync(request, ct);
            using var answer = await kubernetes.HttpClient.SendAsync(request, ct);
            var text = await answer.Content.ReadAsStringAsync(ct);
            if (!answer.IsSuccessStatusCode)
                throw new InvalidOperationException($"The API server refused {workload.File}: {JsonNode.Parse(text)?["message"]}");
            _uids[workload.Name] = JsonNode.Parse(text)!["metadata"]!["uid"]!.GetValue<string>();
        }
    }

    /// <summary>Keeps pods off the nodes whose cards are in MIG mode, as <c>kubectl cordon</c> does, or no more.</summary>
    public async Task CordonMigNodesAsync(bool cordoned, CancellationToken ct)
    {
        foreach (var node in cluster.Nodes.Where(node => node.Cards.Any(card => card.MigProfiles is not null)))
            await cluster.Kubernetes.CoreV1.PatchNodeAsync(
                new V1Patch(new { spec = new { unschedulable = cordoned } }, V1Patch.PatchType.MergePatch), node.Name, cancellationToken: ct);
    }

    /// <summary>Whether it has come to what it is meant to come to.</summary>
    public async Task<bool> HasSettledAsync(Workload workload, CancellationToken ct)
    {
        var pod = await FindAsync(workload, ct);
        if (workload.Outcome is Outcome.StaysPending)
            return ScheduledCondition(pod) is { Status: "False" } && await WaitOfAsync(workload, ct) is not null;
        return pod?.Status?.Phase is "Running" && await AllocationOfAsync(workload, ct) is { AttachedAt: not null } && (await LogOfAsync(workload, ct)).Length > 0;
    }

    /// <summary>Whether a scheduler has placed one of them or said why not.</summary>
    public async Task<bool> AnySchedulerLooksAsync(CancellationToken ct) =>
        (await cluster.Kubernetes.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: ct)).Items.Any(pod => ScheduledCondition(pod) is not null);

    public async Task<IReadOnlyDictionary<string, Observation>> ObserveAsync(CancellationToken ct)
    {
        var seen = new Dictionary<string, Observation>(StringComparer.Ordinal);
        foreach (var workload in Workloads.InOrderOfApplying)
            seen[workload.Name] = await ObserveAsync(workload, ct);
        return seen;
    }

    public Task DeleteAsync(Workload workload, CancellationToken ct) =>
        cluster.Kubernetes.CoreV1.DeleteNamespacedPodAsync(workload.Name, Namespace, cancellationToken: ct);

    public async Task<IReadOnlyList<string>> LeftAsync(CancellationToken ct) =>
        [.. (await cluster.Kubernetes.CoreV1.ListNamespacedPodAsync(Namespace, cancellationToken: ct)).Items.Select(pod => pod.Name())];

    private async Task<Observation> ObserveAsync(Workload workload, CancellationToken ct)
    {
        var pod = await FindAsync(workload, ct);
        var allocation = await AllocationOfAsync(workload, ct);
        var wait = await WaitOfAsync(workload, ct);
        var seen = new Observation
        {
            Phase = pod?.Status?.Phase ?? "Missing",
            Node = pod?.Spec?.NodeName,
            Shares = [.. allocation?.Shares.Select(share => new ObservedShare(share.DeviceUuid, share.MemoryMiB, share.Cores)) ?? []],
            Attached = allocation?.AttachedAt is not null,
            Condition = ScheduledCondition(pod)?.Message,
            Wait = wait is null ? null : new(wait.Message, wait.Reasons.ToDictionary(reason => reason.Reason, reason => reason.Cards, StringComparer.Ordinal)),
        };
        if (seen is not { Phase: "Running", Node: { } node })
            return seen;

        try
        {
            var listed = Listed.Read(await RunInsideAsync(node, workload, ["nvidia-smi", "-L"], ct));
            var probes = new List<Probe>();
            // CUDA takes one instance, which this variable names.
            foreach (var instance in listed.Select(device => device.Instance).DefaultIfEmpty())
                probes.AddRange((await RunInsideAsync(node, workload, [.. instance is null ? Array.Empty<string>() : ["env", $"CUDA_VISIBLE_DEVICES={instance}"], "lab-cuda", "probe"], ct))
                    .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<Probe>(line, Web)!));
            return seen with { Listed = listed, Probes = probes, Log = await LogOfAsync(workload, ct) };
        }
        catch (InvalidOperationException e)
        {
            return seen with { Trouble = e.Message };
        }
    }

    private async Task<string> RunInsideAsync(string node, Workload workload, IReadOnlyList<string> words, CancellationToken ct)
    {
        var run = await cluster.Kubelet(node).ExecAsync(Namespace, workload.Name, Container, words, ct);
        return run.ExitCode == 0 ? run.Output : throw new InvalidOperationException($"{string.Join(' ', words)} in its container ended with {run.ExitCode}: {run.Errors.Trim()}");
    }

    private async Task<V1Pod?> FindAsync(Workload workload, CancellationToken ct)
    {
        try
        {
            return await cluster.Kubernetes.CoreV1.ReadNamespacedPodAsync(workload.Name, Namespace, cancellationToken: ct);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is System.Net.HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task<AllocationAnswer?> AllocationOfAsync(Workload workload, CancellationToken ct) =>
        (await cluster.ControlPlane.LiveAllocationsAsync(ct)).SingleOrDefault(allocation => allocation.PodUid == _uids[workload.Name]);

    private async Task<PendingAnswer?> WaitOfAsync(Workload workload, CancellationToken ct) =>
        (await cluster.ControlPlane.PendingPodsAsync(ct)).SingleOrDefault(pending => pending.PodUid == _uids[workload.Name]);

    private async Task<string> LogOfAsync(Workload workload, CancellationToken ct)
    {
        await using var log = await cluster.Kubernetes.CoreV1.ReadNamespacedPodLogAsync(workload.Name, Namespace, cancellationToken: ct);
        using var reader = new StreamReader(log);
        return await reader.ReadToEndAsync(ct);
    }

    private static V1PodCondition? ScheduledCondition(V1Pod? pod) =>
        pod?.Status?.Conditions?.FirstOrDefault(condition => condition.Type == "PodScheduled");
}
