using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>What a real kubelet 1.36 said to a device plugin, said again by the lab's.</summary>
/// <remarks><c>KubeletRecordings.jsonl</c> has the calls of three scenes, in order. Of ids that a real one picks arbitrarily, only from which set they come is compared.</remarks>
public sealed class KubeletRecordings
{
    [Fact]
    public async Task A_plugin_hears_the_recorded_calls_in_the_recorded_order()
    {
        await using var scene = await KubeletScene.Start();
        scene.Plugin.Prefer = ask => ask.AvailableDeviceIDs.Order(StringComparer.Ordinal).Take(ask.AllocationSize);
        scene.Plugin.Offer([.. Enumerable.Range(0, 10).Select(i => $"GPU-aaaa-{i:d2}")]);
        await Eventually(async () => await scene.Healthy() == "10");
        // The order of these two on two connections is arbitrary, as recorded.
        Assert.Equal(Recorded("first")[..3].Order(StringComparer.Ordinal), scene.Plugin.Calls.Take(3).Order(StringComparer.Ordinal));

        var first = await Calls(scene, "a1", [], [Sleeping("c0", 1)]);
        Assert.Equal(Recorded("first")[3..], first);

        var second = await Calls(scene, "a2", [Container("i", 1, "true")], [Sleeping("c0", 1), Sleeping("c1", 2)]);
        Assert.Equal(Same(Recorded("second")), Same(second));

        foreach (var pod in (string[])["a1", "a2"])
        {
            await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync(pod, "default");
            await scene.UntilGone(pod);
        }
        var sidecar = Sleeping("s", 1);
        sidecar.RestartPolicy = "Always";
        string[] third =
        [
            .. await Calls(scene, "b1", [Container("i", 1, "true")], [Sleeping("c0", 3)]),
            .. await Calls(scene, "b2", [sidecar, Container("i", 2, "true")], [Sleeping("c0", 1)]),
        ];
        // There pod-resources were not asked.
        Assert.Equal(Same(Recorded("third")), Same(third.Select(c => c.Split(" | ")[0])));
        Assert.All(scene.Plugin.PreStartDeadlines, seconds => Assert.Equal(30, seconds));
    }

    private static V1Container Sleeping(string name, int gpus) => Container(name, gpus, "sleep", "100");

    private static async Task<IReadOnlyList<string>> Calls(KubeletScene scene, string name, IList<V1Container> init, V1Container[] containers)
    {
        var before = scene.Plugin.Calls.Count;
        await scene.Run(name, "Never", init, containers);
        await scene.Until(name, p => p.Status.ContainerStatuses?.All(c => c.State.Running is not null) is true);
        return [.. scene.Plugin.Calls.Skip(before)];
    }

    // In the test plugin's words.
    private static List<string> Recorded(string run, [CallerFilePath] string here = "")
    {
        var calls = new List<string>();
        foreach (var line in File.ReadAllLines(Path.ChangeExtension(here, ".jsonl")).Select(l => JsonNode.Parse(l)!).Where(l => l["run"]!.GetValue<string>() == run))
        {
            var container = line["req"]?["container_requests"]?[0];
            var text = line["ev"]!.GetValue<string>() switch
            {
                "call GetDevicePluginOptions" => $"GetDevicePluginOptions {Math.Round(line["deadline_s"]!.GetValue<double>())} s to localhost",
                "Register" => "Register answered",
                "call ListAndWatch" => "ListAndWatch",
                "call GetPreferredAllocation" =>
                    $"GetPreferredAllocation {container!["allocation_size"]} of {Ids(container["available_deviceIDs"])}{(container["must_include_deviceIDs"] is { } must ? $" with {Ids(must)}" : "")}",
                "call Allocate" => $"Allocate {Ids(container!["devices_ids"])}",
                "call PreStartContainer" => $"PreStartContainer {Ids(line["req"]!["devices_ids"])}",
                _ => null,
            };
            if (text is not null)
                calls.Add(text);
            else
                calls[^1] += $" | {string.Join("; ", line["pods"]!["pod_resources"]!.AsArray().Select(Listed))}";
        }
        return calls;
    }

    private static string Listed(JsonNode? pod) =>
        $"{pod!["name"]}: {string.Join(", ", pod["containers"]!.AsArray().Select(c => $"{c!["name"]}={(c["devices"] is JsonArray devices ? string.Join(',', devices.Select(d => Ids(d!["device_ids"])).Order(StringComparer.Ordinal)) : "–")}"))}";

    private static string Ids(JsonNode? ids) => string.Join(',', ids!.AsArray().Select(i => i!.GetValue<string>()).Order(StringComparer.Ordinal));

    // A container that takes some of what its init container had: any of them.
    private static List<string> Same(IEnumerable<string> calls)
    {
        var sets = new List<string[]>();
        var same = new List<string>();
        foreach (var call in calls)
        {
            var words = call.Split(' ', 3);
            if (words[0] is not ("Allocate" or "PreStartContainer"))
            {
                same.Add(call);
                continue;
            }
            var ids = words[1].Split(',');
            var from = sets.Find(s => s.Length > ids.Length && ids.All(s.Contains));
            same.Add(from is null ? call : $"{words[0]} {ids.Length} of {string.Join(',', from)}");
            if (words[0] == "Allocate")
                sets.Add(ids);
        }
        return same;
    }
}
