using System.Text.Json.Nodes;
using Hami.Api.Replaying;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using Hami.Tests.Replaying;
using k8s;
using k8s.Models;

namespace Hami.Tests.Observing;

/// <summary>A cluster that HAMi has filled is taken over by one call, with a summary; and a control plane with <c>--heads-file</c> leaves heads behind.</summary>
public sealed class ImportingACluster
{
    [Fact]
    public async Task What_HAMis_annotations_say_is_counted_once_and_what_is_left_out_is_named()
    {
        var (key, heads) = (HeadKeyFile.Create(), Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()));
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: ["--heads-file", heads, "--head-key-file", key, "--heads-interval", "1s"]);
        await ControlPlaneScene.UntilAsync(() => Task.FromResult(File.Exists(heads) && HeadsFile.Read(heads) is [{ Position: > 0 }, ..]), () => scene.Log);
        Assert.Null(HeadKeys.Read([key]).WhyNot(HeadsFile.Read(heads)[0]!));
        await scene.KillApiAsync();
        await PlacedByHamiAsync(scene, "running", "GPU-n1-0,NVIDIA,3000,10:;");
        await PlacedByHamiAsync(scene, "unreadable", "GPU-n1-1,NVIDIA,4000:;");

        var (code, dry) = await ImportAsync(scene, "--dry-run", "--json");
        Assert.Equal(1, code);
        Assert.Equal("running", (string?)JsonNode.Parse(dry)!["adopted"]![0]!["pod"]);
        Assert.Empty(await scene.ColumnAsync("select pod_uid from hami.live_allocation"));

        (code, var text) = await ImportAsync(scene);
        Assert.Equal(1, code);
        Assert.Contains("1 nodes publish 2 cards. 1 pods were adopted, 0 were counted already, 1 were left out.", text, StringComparison.Ordinal);
        Assert.Contains("pod default/unreadable on n1", text, StringComparison.Ordinal);
        Assert.Equal(["3000"], await scene.ColumnAsync("select memory_mib::text from hami.live_allocation"));

        await scene.DeletePodAsync("unreadable");
        (code, text) = await ImportAsync(scene);
        Assert.Equal(0, code);
        Assert.Contains("0 pods were adopted, 1 were counted already, 0 were left out.", text, StringComparison.Ordinal);
        File.Delete(key);
        File.Delete(heads);
    }

    private static async Task<(int Code, string Output)> ImportAsync(ControlPlaneScene scene, params string[] flags)
    {
        var output = new StringWriter();
        var code = await Hami.Api.CommandLine.Create().Parse(["import", "--postgres", scene.ConnectionString, "--kubeconfig", scene.Kubeconfig, .. flags])
            .InvokeAsync(new() { Output = output, Error = output });
        return (code, output.ToString());
    }

    private static async Task PlacedByHamiAsync(ControlPlaneScene scene, string name, string list)
    {
        await scene.CreatePodAsync(name, memoryMiB: 10000, also: p => p.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [HamiKeys.PodNode] = "n1", [HamiKeys.DevicesAllocated] = list, [HamiKeys.BindPhase] = BindPhases.Success,
        });
        await scene.Kubernetes.CoreV1.CreateNamespacedPodBindingAsync(
            new V1Binding { Metadata = new() { Name = name }, Target = new() { ApiVersion = "v1", Kind = "Node", Name = "n1" } }, name, "default");
    }
}
