using System.Reflection;
using GraphQL.Types;

namespace Hami.Api.Asking;

/// <summary>Makes a GraphQL type of a record: of its facts, and of no method where the type is the domain's.</summary>
internal sealed class FactsType<T> : AutoRegisteringObjectGraphType<T>
{
    private static readonly Assembly Domain = typeof(Hami.Domain.Ledger.ClusterLedger).Assembly;

    protected override void ConfigureGraph()
    {
        base.ConfigureGraph();
        if (typeof(T) is not { IsGenericType: true } generic)
            return;
        // A name of the GraphQL world: AllocationConnection, AllocationEdge.
        var (kind, of) = (generic.GetGenericTypeDefinition(), generic.GetGenericArguments()[0]);
        Name = of.Name + (kind == typeof(Connection<>) ? "Connection" : "Edge");
        Description = kind == typeof(Connection<>) ? "One page of a list." : "A row and where it stands in its list.";
    }

    protected override IEnumerable<MemberInfo> GetRegisteredMembers() =>
        typeof(T).Assembly == Domain ? base.GetRegisteredMembers().Where(m => m is not MethodInfo) : base.GetRegisteredMembers();

    protected override FieldType? CreateField(MemberInfo memberInfo)
    {
        var field = base.CreateField(memberInfo);
        // The library looks up the comments of a closed generic type under a name that no comment has.
        if (field is { Description: null } && typeof(T).IsGenericType)
            field.Description = Words(memberInfo.Name);
        return field;
    }

    private static string? Words(string member) => member switch
    {
        nameof(Asking.Connection<int>.Edges) => "The rows of this page, each with its cursor.",
        nameof(Asking.Connection<int>.Items) => "The rows of this page alone.",
        nameof(Asking.Connection<int>.PageInfo) => "Where this page ends, and whether it is the last.",
        nameof(Asking.Connection<int>.TotalCount) => "How many rows all pages have together; counted only where it is asked for.",
        nameof(Asking.Edge<int>.Cursor) => "Give it as after to go on behind this row.",
        nameof(Asking.Edge<int>.Node) => "The row.",
        _ => null,
    };
}
