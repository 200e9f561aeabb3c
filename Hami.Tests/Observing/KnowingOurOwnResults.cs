using Hami.Api.Binding;
using Hami.Api.Plumbing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using Hami.Tests.Replaying;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Observing;

/// <summary>What we placed and the log does not know any more, as after the restore of a backup, is known by our own signature.</summary>
public sealed class KnowingOurOwnResults : IDisposable
{
    private readonly string _key = HeadKeyFile.Create();

    public void Dispose() => File.Delete(_key);

    [Theory]
    [InlineData("as it was signed", null)]
    [InlineData("another pod", "not valid for this pod")]
    [InlineData("another node", "not valid for this pod")]
    [InlineData("altered shares", "not valid for this pod")]
    [InlineData("another allocation", "not valid for this pod")]
    [InlineData("no signature", "cannot be read")]
    [InlineData("garbage", "cannot be read")]
    [InlineData("another key", "it is signed with the key")]
    [InlineData("no key", "there is no --signing-key-file")]
    public void Only_what_we_wrote_for_this_pod_on_this_node_is_ours(string what, string? why)
    {
        var pod = Signed(Signer(_key), "uid-p", "n1");
        var other = HeadKeyFile.Create();
        switch (what)
        {
            case "another pod":
                pod.Metadata.Uid = "uid-q";
                break;
            case "another node":
                pod.Spec.NodeName = "n2";
                break;
            case "altered shares":
                pod.Metadata.Annotations[HamiKeys.DevicesAllocated] = "GPU-a,NVIDIA,1,10:;";
                break;
            case "another allocation":
                pod.Metadata.Annotations[HamiKeys.AllocationId] = Guid.Empty.ToString();
                break;
            case "no signature":
                pod.Metadata.Annotations.Remove(HamiKeys.AllocationSignature);
                break;
            case "garbage":
                pod.Metadata.Annotations[HamiKeys.AllocationSignature] = "abc:def";
                break;
            case "another key":
                pod = Signed(Signer(other), "uid-p", "n1");
                break;
        }
        var found = Signer(what == "no key" ? null : _key).WhyNotOurs(pod);
        File.Delete(other);

        if (why is null)
            Assert.Null(found);
        else
            Assert.Contains(why, found, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_that_was_bound_after_the_moment_of_a_restored_backup_holds_its_cards_again_and_a_forged_one_does_not()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: ["--signing-key-file", _key]);
        // A backup from before anything was bound.
        await SqlAsync(scene, "create schema backup; create table backup.events as table hami.mt_events; create table backup.streams as table hami.mt_streams; create table backup.head as table hami.journal_head");
        var ours = await scene.CreatePodAsync("ours", memoryMiB: 3000);
        await scene.FilterAsync("ours", "n1");
        Assert.Equal("", (await scene.BindAsync(ours, "n1"))["Error"]!.GetValue<string>());
        var annotations = (await scene.FindPodAsync("ours"))!.Metadata.Annotations;
        await BoundByHandAsync(scene, "copied", annotations);
        await scene.KillApiAsync();
        await SqlAsync(
            scene,
            """
            delete from hami.checkpoint;
            delete from hami.mt_events; delete from hami.mt_streams; delete from hami.journal_head; delete from hami.live_allocation;
            insert into hami.mt_streams select * from backup.streams; insert into hami.mt_events select * from backup.events; insert into hami.journal_head select * from backup.head;
            """);
        await scene.StartApiAsync();

        // Ready is said only when all pods are reconciled.
        const string Held = "select pod_uid || ' ' || memory_mib from hami.live_allocation";
        Assert.Equal($"{ours.Metadata.Uid} 3000", Assert.Single(await scene.ColumnAsync(Held)));
        var source = Assert.Single(await scene.ColumnAsync("select data->>'source' from hami.mt_events where type = 'allocation_adopted' and data->>'pod' = 'ours'"));
        Assert.StartsWith("our own signature by key ", source, StringComparison.Ordinal);
        Assert.Contains(annotations[HamiKeys.AllocationId], source, StringComparison.Ordinal);
        Assert.Contains("What default/copied holds on n1 is not counted: its signature is not valid for this pod", scene.Log, StringComparison.Ordinal);

        await scene.DeletePodAsync("ours");
        await ControlPlaneScene.UntilAsync(async () => (await scene.ColumnAsync(Held)).Count == 0, () => scene.Log);
    }

    private static ResultSigner Signer(string? key) => new(key is null ? null : SigningKey.Read(key), NullLogger<ResultSigner>.Instance);

    private static V1Pod Signed(ResultSigner signer, string uid, string node)
    {
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [HamiKeys.AllocationId] = "019a0000-0000-7000-8000-000000000001", [HamiKeys.PodNode] = node, [HamiKeys.DevicesAllocated] = "GPU-a,NVIDIA,3000,10:;",
        };
        signer.Sign(uid, node, annotations);
        return new() { Metadata = new() { Name = "p", NamespaceProperty = "default", Uid = uid, Annotations = annotations }, Spec = new() { NodeName = node } };
    }

    private static async Task BoundByHandAsync(ControlPlaneScene scene, string name, IDictionary<string, string> annotations)
    {
        await scene.CreatePodAsync(name, memoryMiB: 3000, also: p => p.Metadata.Annotations = new Dictionary<string, string>(annotations, StringComparer.Ordinal));
        await scene.Kubernetes.CoreV1.CreateNamespacedPodBindingAsync(
            new V1Binding { Metadata = new() { Name = name }, Target = new() { ApiVersion = "v1", Kind = "Node", Name = "n1" } }, name, "default");
    }

    private static async Task SqlAsync(ControlPlaneScene scene, string sql)
    {
        await using var command = scene.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
