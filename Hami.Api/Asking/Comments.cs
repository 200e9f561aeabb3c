using System.Reflection;
using System.Xml.Linq;
using GraphQL;
using GraphQL.Types;

namespace Hami.Api.Asking;

/// <summary>
/// Describes the schema's types, fields, arguments and values by the comments of our code. The library would too, but searches the whole file for
/// each of them, which took a third of a start.
/// </summary>
internal sealed class Comments : GraphQLAttribute
{
    private static readonly Assembly[] Ours = [typeof(Comments).Assembly, typeof(Hami.Domain.Ledger.ClusterLedger).Assembly];

    private readonly Lazy<Dictionary<string, string>> _texts = new(Read);

    public override void Modify(IGraphType graphType, Type sourceType) => graphType.Description ??= Find($"T:{NameOf(sourceType)}");

    public override void Modify(FieldType fieldType, bool isInputType, IGraphType graphType, MemberInfo memberInfo, ref bool ignore) =>
        fieldType.Description ??= Find(NameOf(memberInfo));

    public override void Modify(QueryArgument queryArgument, ParameterInfo parameterInfo) =>
        queryArgument.Description ??= Find($"{NameOf(parameterInfo.Member)}({parameterInfo.Name}");

    public override void Modify(EnumValueDefinition enumValueDefinition)
    {
        if (enumValueDefinition.Value is Enum value)
            enumValueDefinition.Description ??= Find($"F:{NameOf(value.GetType())}.{value}");
    }

    private string? Find(string name) => _texts.Value.GetValueOrDefault(name);

    private static string NameOf(MemberInfo member) => $"{(member is MethodInfo ? 'M' : member is FieldInfo ? 'F' : 'P')}:{NameOf(member.DeclaringType!)}.{member.Name}";

    private static string NameOf(Type type) => (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!.Replace('+', '.');

    // By member, without the parameters of a method, as no two of a type that is asked have one name; and by member(parameter.
    private static Dictionary<string, string> Read()
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Ours.Select(assembly => Path.ChangeExtension(assembly.Location, ".xml")).Where(File.Exists))
        {
            foreach (var member in XDocument.Load(file).Descendants("member"))
            {
                var name = member.Attribute("name")!.Value.Split('(')[0];
                Keep(name, member.Element("summary"));
                foreach (var parameter in member.Elements("param"))
                    Keep($"{name}({parameter.Attribute("name")?.Value}", parameter);
            }
        }
        return texts;

        void Keep(string name, XElement? comment)
        {
            if (Text(comment) is { } text)
                texts.TryAdd(name, text);
        }
    }

    // A field has another name in the schema.
    private static string Named(string reference)
    {
        var name = reference.Split('.', ':')[^1];
        return reference.StartsWith("P:", StringComparison.Ordinal) ? name.ToCamelCase() : name;
    }

    // On one line.
    private static string? Text(XElement? element)
    {
        if (element is null)
            return null;
        var parts = element.Nodes().Select(node => node switch
        {
            XText text => text.Value,
            XElement { Name.LocalName: "see" or "paramref" } reference => Named((reference.Attribute("cref") ?? reference.Attribute("langword") ?? reference.Attribute("name"))?.Value ?? ""),
            XElement other => Text(other),
            _ => null,
        });
        var words = string.Concat(parts).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return words.Length == 0 ? null : string.Join(' ', words);
    }
}
