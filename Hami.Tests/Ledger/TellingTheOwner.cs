using Hami.Domain.Ledger;

namespace Hami.Tests.Ledger;

/// <summary>What a pod belongs to, by its controlling reference.</summary>
public sealed class TellingTheOwner
{
    [Theory]
    [InlineData("Job", "train", null, "Job", "train")]
    [InlineData("StatefulSet", "db-5d9c", "5d9c", "StatefulSet", "db-5d9c")]
    [InlineData("ReplicaSet", "web-5d9c", "5d9c", "Deployment", "web")]
    [InlineData("ReplicaSet", "web-api-5d9c", "5d9c", "Deployment", "web-api")]
    // A ReplicaSet of its own, whatever its pods are labelled with.
    [InlineData("ReplicaSet", "web-5d9c", null, "ReplicaSet", "web-5d9c")]
    [InlineData("ReplicaSet", "web-5d9c", "", "ReplicaSet", "web-5d9c")]
    [InlineData("ReplicaSet", "web-5d9c", "77aa", "ReplicaSet", "web-5d9c")]
    [InlineData("ReplicaSet", "web5d9c", "5d9c", "ReplicaSet", "web5d9c")]
    [InlineData("ReplicaSet", "-5d9c", "5d9c", "ReplicaSet", "-5d9c")]
    [InlineData("ReplicaSet", "5d9c", "5d9c", "ReplicaSet", "5d9c")]
    [InlineData("replicaset", "web-5d9c", "5d9c", "replicaset", "web-5d9c")]
    public void A_ReplicaSet_of_a_Deployment_is_told_as_that_and_others_as_they_are(string kind, string name, string? hash, string ownerKind, string ownerName) =>
        Assert.Equal(new(ownerKind, ownerName), WorkloadOwner.Of(kind, name, Labels(hash)));

    [Theory]
    [InlineData(null, "train")]
    [InlineData("Job", null)]
    [InlineData("", "train")]
    [InlineData("Job", "")]
    [InlineData("Job", "a\0b")]
    [InlineData("Job\n", "train")]
    public void What_no_object_is_called_is_no_owner(string? kind, string? name) => Assert.Null(WorkloadOwner.Of(kind, name, Labels(null)));

    [Theory]
    [InlineData(63, 253, true)]
    [InlineData(64, 1, false)]
    [InlineData(1, 254, false)]
    public void What_is_longer_than_Kubernetes_lets_names_be_is_no_owner(int kind, int name, bool isOwner) =>
        Assert.Equal(isOwner, WorkloadOwner.Of(new('K', kind), new('n', name), Labels(null)) is not null);

    private static Dictionary<string, string> Labels(string? hash) =>
        hash is null ? [] : new(StringComparer.Ordinal) { ["pod-template-hash"] = hash };
}
