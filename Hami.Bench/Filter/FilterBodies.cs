using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Bench.Filter;

/// <summary>What kube-scheduler would post: pods of several shapes, all nodes named.</summary>
internal static class FilterBodies
{
    public const string PodUid = "6f3a0c1e-2222-4444-8888-000000000001";

    /// <summary>One body of each shape, and what the shape is.</summary>
    public static IReadOnlyList<(string Shape, byte[] Body)> All(IReadOnlyList<string> nodes, string? policy)
    {
        var names = JsonSerializer.SerializeToUtf8Bytes(nodes);
        return
        [
            Of("memory", Pod(policy, Container(1, memoryMiB: 3000))),
            Of("memory and cores", Pod(policy, Container(1, memoryMiB: 8000, cores: 20))),
            Of("percent", Pod(policy, Container(1, percent: 40))),
            Of("whole card", Pod(policy, Container(1, cores: 100))),
            Of("two cards", Pod(policy, Container(2, memoryMiB: 10240))),
            Of("four cards of a model", Pod(policy, Container(4, memoryMiB: 2000), ("nvidia.com/use-gputype", "A100,H100"))),
            Of("two containers", Pod(policy, [Container(1, memoryMiB: 4000), Container(1, memoryMiB: 6000)])),
            Of("two of one NUMA node", Pod(policy, Container(2, memoryMiB: 2000), ("nvidia.com/numa-bind", "true"))),
            Of("fits nowhere", Pod(policy, Container(1, memoryMiB: 90000))),
        ];

        (string, byte[]) Of(string shape, JsonObject pod) =>
            (shape, [.. Encoding.UTF8.GetBytes($$"""{"Pod":{{pod.ToJsonString()}},"Nodes":null,"NodeNames":"""), .. names, (byte)'}']);
    }

    private static JsonObject Pod(string? policy, JsonObject container, params (string Key, string Value)[] annotations) => Pod(policy, [container], annotations);

    private static JsonObject Pod(string? policy, JsonObject[] containers, params (string Key, string Value)[] annotations)
    {
        var all = new JsonObject();
        foreach (var (key, value) in annotations)
            all[key] = value;
        if (policy is not null)
            all["hami.io/node-scheduler-policy"] = policy;
        return new()
        {
            ["metadata"] = new JsonObject
            {
                ["name"] = "asking", ["namespace"] = "default", ["uid"] = PodUid, ["resourceVersion"] = "1", ["annotations"] = all,
                ["labels"] = new JsonObject { ["app"] = "bench" },
            },
            ["spec"] = new JsonObject
            {
                ["schedulerName"] = "hami-scheduler",
                ["containers"] = new JsonArray([.. containers]),
                ["tolerations"] = new JsonArray(new JsonObject { ["key"] = "nvidia.com/gpu", ["operator"] = "Exists", ["effect"] = "NoSchedule" }),
            },
            ["status"] = new JsonObject { ["phase"] = "Pending" },
        };
    }

    private static JsonObject Container(int count, long memoryMiB = 0, int percent = 0, int cores = 0)
    {
        var limits = new JsonObject { ["cpu"] = "4", ["memory"] = "16Gi", ["nvidia.com/gpu"] = $"{count}" };
        if (memoryMiB > 0)
            limits["nvidia.com/gpumem"] = $"{memoryMiB}";
        if (percent > 0)
            limits["nvidia.com/gpumem-percentage"] = $"{percent}";
        if (cores > 0)
            limits["nvidia.com/gpucores"] = $"{cores}";
        return new()
        {
            ["name"] = "main", ["image"] = "registry.example/train:1.0",
            ["resources"] = new JsonObject { ["limits"] = limits, ["requests"] = limits.DeepClone() },
            ["terminationMessagePath"] = "/dev/termination-log", ["imagePullPolicy"] = "IfNotPresent",
        };
    }
}
