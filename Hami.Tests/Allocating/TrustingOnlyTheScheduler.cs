using System.Diagnostics;
using CsCheck;
using Grpc.Core;
using Hami.Api.Binding;
using Hami.Api.Plumbing;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Lab.Cluster;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Given;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using static Hami.Tests.Allocating.AgentOnANode;

namespace Hami.Tests.Allocating;

/// <summary>The control plane signs, the node agent checks: nobody else gives out devices.</summary>
public sealed class TrustingOnlyTheScheduler : IDisposable
{
    private static readonly string[] Signed =
        [HamiKeys.AllocationId, HamiKeys.DevicesAllocated, HamiKeys.AllocationSignature];

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("hami");

    public TrustingOnlyTheScheduler()
    {
        SigningKeyPair.Make(Private("1"), Public("1"));
        SigningKeyPair.Make(Private("2"), Public("2"));
    }

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public void What_the_scheduler_wrote_is_believed() => Assert.Null(Fault(Bound()));

    [Fact]
    public async Task A_pod_that_the_control_plane_has_bound_carries_a_signature_that_counts_for_it_alone()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: ["--signing-key-file", Private("1")]);
        var pod = await scene.CreatePodAsync("p1");
        await scene.FilterAsync("p1", "n1");
        Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());

        var bound = (await scene.FindPodAsync("p1"))!;
        Assert.Null(Fault(bound, node: "n1"));
        Assert.NotNull(Fault(bound, node: "n2"));
        Assert.NotNull(Fault(bound, node: "n1", keys: ["2"]));
    }

    [Fact]
    public void Keys_as_openssl_writes_them_are_read()
    {
        // The example of RFC 8410, section 10.3.
        File.WriteAllText(Private("ssl"), "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n");
        File.WriteAllText(Public("ssl"), "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n");
        Assert.Null(Fault(Bound("ssl"), keys: ["ssl"]));
    }

    [Theory]
    [InlineData("--signing-key-file /nowhere.key", "--signing-key-file /nowhere.key: Could not find file '/nowhere.key'.")]
    [InlineData("--signing-key-file @1.pub", "1.pub: it is not a PEM file with a PRIVATE KEY (PKCS#8)")]
    public void A_key_that_the_control_plane_cannot_sign_with_is_a_sentence(string flags, string sentence)
    {
        var kubeconfig = Path.Combine(folder.FullName, "kubeconfig");
        File.WriteAllText(kubeconfig, ControlPlaneScene.NobodysKubeconfig);
        var parsed = Hami.Api.CommandLine.Create().Parse(
            ["serve", "--kubeconfig", kubeconfig, "--postgres", "Host=nowhere", "--http", "127.0.0.1:18080", .. flags.Replace("@", folder.FullName + "/", StringComparison.Ordinal).Split(' ')]);
        Assert.Contains(sentence, Assert.Single(parsed.Errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_plugin_adds_to_a_MIG_instance_does_not_break_the_signature()
    {
        var pod = Bound();
        pod.SetAnnotation(HamiKeys.MigAllocations, MigAllocations.Encode(MigAllocations.Decode(pod.GetAnnotation(HamiKeys.MigAllocations))
            .Select(m => m with { MigUuid = "MIG-x", GpuInstanceId = 4, ComputeInstanceId = 0 })));
        Assert.Null(Fault(pod));
    }

    [Theory]
    [InlineData("forged", "0011223344556677:AAAA", "cannot be read")]
    [InlineData("by a stranger", null, "unknown key")]
    public void A_forged_signature_is_a_sentence(string what, string? signature, string says)
    {
        var pod = Bound(key: "2");
        if (signature is not null)
            pod.SetAnnotation(HamiKeys.AllocationSignature, signature);
        var fault = Fault(pod);
        Assert.True(fault is not null, what);
        Assert.Contains(says, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Annotations_moved_to_another_pod_do_not_count()
    {
        var pod = Bound();
        pod.Metadata.Uid = "another";
        Assert.Contains("is not valid", Fault(pod), StringComparison.Ordinal);
    }

    [Fact]
    public void Nor_on_another_node() => Assert.Contains("on node node-2", Fault(Bound(), node: "node-2"), StringComparison.Ordinal);

    [Theory]
    [InlineData("GPU-a,NVIDIA,3000,50:GPU-a,NVIDIA,4000,60:;;")]
    [InlineData("GPU-a,NVIDIA,3001,50:GPU-a,NVIDIA,4000,60:;")]
    [InlineData("GPU-b,NVIDIA,3000,50:GPU-a,NVIDIA,4000,60:;")]
    public void Nor_do_altered_shares(string list)
    {
        var pod = Bound();
        pod.SetAnnotation(HamiKeys.DevicesAllocated, list);
        Assert.NotNull(Fault(pod));
    }

    [Fact]
    public void Nor_does_a_MIG_instance_that_was_added_moved_or_taken_away()
    {
        foreach (var text in new[]
                 {
                     null, "[]",
                     """[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"7g.40gb","placement":{"start":2,"size":2}}]""",
                     """[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"2g.10gb","placement":{"start":4,"size":2}}]""",
                 })
        {
            var pod = Bound();
            pod.Metadata.Annotations.Remove(HamiKeys.MigAllocations);
            if (text is not null)
                pod.SetAnnotation(HamiKeys.MigAllocations, text);
            Assert.NotNull(Fault(pod));
        }
    }

    [Fact]
    public void Any_changed_byte_is_refused()
    {
        var pod = Bound();
        Assert.Null(Fault(pod));
        Gen.Select(Gen.Int[0, Signed.Length - 1], Gen.Int[0, 10_000], Gen.Char[' ', '~']).Sample((which, at, to) =>
        {
            var key = Signed[which];
            var text = pod.GetAnnotation(key);
            at %= text.Length;
            var changed = text[..at] + to + text[(at + 1)..];
            if (changed == text)
                return;
            var forged = Bound();
            foreach (var k in Signed)
                forged.SetAnnotation(k, pod.GetAnnotation(k));
            forged.SetAnnotation(key, changed);
            Assert.NotNull(Fault(forged));
        }, iter: 300, threads: 1);
    }

    [Fact]
    public void While_keys_are_changed_both_count_and_afterwards_only_the_new_one()
    {
        Assert.Null(Fault(Bound("1"), keys: ["1", "2"]));
        Assert.Null(Fault(Bound("2"), keys: ["1", "2"]));
        Assert.NotNull(Fault(Bound("1"), keys: ["2"]));
        var both = Path.Combine(folder.FullName, "both.pub");
        File.WriteAllText(both, File.ReadAllText(Public("1")) + File.ReadAllText(Public("2")));
        Assert.Equal(2, TrustedKeys.Read([both]).ById.Count);
    }

    [Fact]
    public void Unsigned_ones_count_only_in_the_window_of_a_migration_and_are_counted()
    {
        var pod = Unsigned();
        Assert.Contains("carries no signature", Fault(pod), StringComparison.Ordinal);
        var open = Check(accept: true);
        Assert.Null(open.Fault(pod.AsTold(), pod.GetAnnotation(HamiKeys.DevicesAllocated)));
        Assert.Null(open.Fault(pod.AsTold(), pod.GetAnnotation(HamiKeys.DevicesAllocated)));
        Assert.Equal(1, open.AcceptedUnsigned);
        var forged = Bound("2");
        Assert.NotNull(open.Fault(forged.AsTold(), forged.GetAnnotation(HamiKeys.DevicesAllocated)));
    }

    [Fact]
    public void A_pod_that_HAMi_placed_is_known_in_that_window_and_only_then()
    {
        var pod = Unsigned();
        pod.Metadata.Annotations.Remove(HamiKeys.AllocationId);
        Assert.Null(PodOnNode.From(new(pod.AsTold(), 1), NodePods.Resource, Check(accept: true)).Fault);
        Assert.NotNull(PodOnNode.From(new(pod.AsTold(), 1), NodePods.Resource, Check()).Fault);
        Assert.NotNull(PodOnNode.From(new(pod.AsTold(), 1), NodePods.Resource).Fault);
    }

    [Fact]
    public void Without_a_key_an_agent_starts_only_when_it_is_told_to_believe_everybody()
    {
        var options = NodePods.Options();

        Assert.Contains("give --signing-public-key", options.Fault(), StringComparison.Ordinal);
        Assert.Null((options with { AcceptUnsigned = true }).Fault());
        Assert.Null((options with { Keys = TrustedKeys.Read([Public("1")]) }).Fault());
        Assert.Null(Check(accept: true, keys: []).Fault(Unsigned().AsTold(), ""));
    }

    [Fact]
    public async Task The_command_line_without_a_key_ends_in_a_sentence()
    {
        var devices = Path.Combine(folder.FullName, "devices.yaml");
        await File.WriteAllTextAsync(devices, BothHealthy);
        using var agent = Process.Start(new ProcessStartInfo(BuiltPrograms.NodeAgent[0],
            [.. BuiltPrograms.NodeAgent.Skip(1), "serve", "--node-name", "node-1", "--simulate", devices, "--kubeconfig", "/nowhere"])
        {
            UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true,
        })!;

        var error = await agent.StandardError.ReadToEndAsync();
        await agent.WaitForExitAsync();

        Assert.Equal(1, agent.ExitCode);
        Assert.Contains("or --accept-unsigned", Assert.Single(error.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("not PEM at all", "no key in PEM")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be used")]
    public void A_file_that_holds_no_public_key_is_a_sentence(string text, string says)
    {
        var file = Path.Combine(folder.FullName, "bad.pub");
        File.WriteAllText(file, text);
        Assert.Contains(says, Assert.Throws<InvalidOperationException>(() => TrustedKeys.Read([file])).Message, StringComparison.Ordinal);
        Assert.Contains("holds a PRIVATE KEY", Assert.Throws<InvalidOperationException>(() => TrustedKeys.Read([Private("1")])).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => SigningKey.Read(file));
    }

    [Fact]
    public async Task On_a_node_a_forged_pod_fails_with_a_sentence_and_an_event_and_the_signed_one_runs()
    {
        await using var node = await Start(keys: TrustedKeys.Read([Public("1")]));
        var forged = NodePods.Pod("forged", "GPU-a,NVIDIA,3000,50:;", [1]);
        Sign(forged, "2");
        node.Bind(forged);
        var good = NodePods.Pod("good", "GPU-b,NVIDIA,3000,50:;", [1]);
        Sign(good, "1");
        node.Bind(good);

        var error = await Assert.ThrowsAsync<RpcException>(() => node.Kubelet.Admit(forged));

        Assert.Contains("Pod default/forged has annotations that the HAMi scheduler did not write", error.Status.Detail, StringComparison.Ordinal);
        await Eventually(() => node.Api.Phase("forged") == BindPhases.Failed);
        await Eventually(() => node.Api.Events.Any(e => e.Contains("AllocationRefused", StringComparison.Ordinal) && e.Contains("uid-forged", StringComparison.Ordinal)));
        Assert.Equal("GPU-b", (await node.Kubelet.Admit(good))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        await node.Kubelet.PreStart(good, "c0");
    }

    private string Private(string key) => Path.Combine(folder.FullName, $"{key}.key");

    private string Public(string key) => Path.Combine(folder.FullName, $"{key}.pub");

    private string? Fault(V1Pod pod, string node = "node-1", string[]? keys = null) =>
        Check(node, keys: keys).Fault(pod.AsTold(), pod.GetAnnotation(HamiKeys.DevicesAllocated));

    private SignatureCheck Check(string node = "node-1", bool accept = false, string[]? keys = null) => new(
        NodePods.Options() with { NodeName = node, AcceptUnsigned = accept, Keys = TrustedKeys.Read((keys ?? ["1"]).Select(Public)) },
        NullLogger<SignatureCheck>.Instance);

    private V1Pod Bound(string key = "1")
    {
        var pod = NodePods.Pod("p", null, [2]);
        var allocation = new Domain.Ledger.Allocation(
            new("019a0000-0000-7000-8000-000000000001"), pod.Uid(), "default", "p", 1,
            [new(0, "c0", false, "GPU-a", 3000, 50, new("2g.10gb", 2, 2)), new(0, "c0", false, "GPU-a", 4000, 60)], AllocationPhase.Placed);
        pod.Metadata.Annotations = new Dictionary<string, string>(BindingAnnotations.Annotations(allocation, "node-1", DateTimeOffset.UnixEpoch), StringComparer.Ordinal);
        Sign(pod, key);
        return pod;
    }

    private V1Pod Unsigned()
    {
        var pod = Bound();
        pod.Metadata.Annotations.Remove(HamiKeys.AllocationSignature);
        return pod;
    }

    private void Sign(V1Pod pod, string key)
    {
        var annotations = new Dictionary<string, string>(pod.Metadata.Annotations, StringComparer.Ordinal);
        new ResultSigner(SigningKey.Read(Private(key)), NullLogger<ResultSigner>.Instance).Sign(pod.Uid(), "node-1", annotations);
        pod.Metadata.Annotations = annotations;
    }
}
