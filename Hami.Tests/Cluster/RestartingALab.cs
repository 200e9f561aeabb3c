using Hami.Lab.Cluster;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Cluster;

public sealed class RestartingALab
{
    private static readonly IReadOnlyList<LabNode> One = [LabNode.Three[0]];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_holds_what_is_known_after_the_control_plane_was_killed_and_after_a_restart_of_everything()
    {
        await using var cluster = await TestCluster.StartAsync(restartsApi: true, One);
        await cluster.CreatePodAsync(Pod("holder"));
        var before = await HeldAsync(cluster.Lab);

        var process = cluster.Lab.ApiProcessId;
        await cluster.Lab.KillApiAsync();
        await cluster.Lab.StartApiAsync(Ct);
        Assert.NotEqual(process, cluster.Lab.ApiProcessId);
        Assert.Equal(before.Id, (await HeldAsync(cluster.Lab)).Id);

        // A node that its user has cordoned does not keep the lab from starting.
        await cluster.Lab.Kubernetes.CoreV1.PatchNodeAsync(
            new V1Patch("""{"spec":{"unschedulable":true}}""", V1Patch.PatchType.MergePatch), cluster.Lab.Nodes[0].Name, cancellationToken: Ct);
        await cluster.RestartAsync();
        Assert.Equal(before.Id, (await HeldAsync(cluster.Lab)).Id);
        await Until(async () => (await cluster.Lab.Kubernetes.CoreV1.ReadNamespacedPodAsync("holder", cluster.Lab.Namespace, cancellationToken: Ct)).Status.Phase == "Running");

        await cluster.Lab.Kubernetes.CoreV1.DeleteNamespacedPodAsync("holder", cluster.Lab.Namespace, cancellationToken: Ct);
        await Until(async () => (await cluster.Lab.ControlPlane.NodesAsync(Ct)).All(node => node.Devices.All(device => device.IsFree)));
        // History is projected behind the log's back and follows a moment later.
        await Until(async () => (await cluster.Lab.ControlPlane.LiveAllocationsAsync(Ct)).Count == 0);
    }

    private static async Task<AllocationAnswer> HeldAsync(LabCluster lab)
    {
        AllocationAnswer? held = null;
        await Until(async () =>
        {
            held = (await lab.ControlPlane.LiveAllocationsAsync(Ct)).SingleOrDefault();
            return held?.AttachedAt is not null;
        });
        return held!;
    }

    private static V1Pod Pod(string name) => new()
    {
        Metadata = new() { Name = name },
        Spec = new()
        {
            Containers =
            [
                new()
                {
                    Name = "main",
                    Image = "any",
                    Command = ["sleep", "infinity"],
                    Resources = new()
                    {
                        Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1"), ["nvidia.com/gpumem"] = new("1000") },
                    },
                },
            ],
        },
    };

    private static async Task Until(Func<Task<bool>> holds)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        timeout.CancelAfter(TimeSpan.FromSeconds(60));
        while (!await holds())
            await Task.Delay(50, timeout.Token);
    }
}
