import { hash32, pick } from './random.ts'

export type InventedName = { name: string; spell: string; industry: string }

/**
 * A company name that sounds like one: two characters and a trade. `attempt` moves on when a name is taken.
 *
 *     inventName(seed, 0) // { name: '岚泽数科', spell: 'LZSK', industry: '软件服务' }
 */
export function inventName(seed: number, attempt: number): InventedName {
  const first = pick(firstCharacters, hash32(seed, 1, attempt))
  const second = pick(secondCharacters, hash32(seed, 2, attempt))
  const [industry, ...trades] = pick(industries, hash32(seed, 3))
  const trade = pick(trades, hash32(seed, 4, attempt))
  return {
    name: `${first[0]}${second[0]}${trade.slice(0, 2)}`,
    spell: `${first.slice(1)}${second.slice(1)}${trade.slice(2)}`,
    industry,
  }
}

export const areas = (
  '北京 上海 天津 重庆 河北 山西 内蒙古 辽宁 吉林 黑龙江 江苏 江苏 江苏 浙江 浙江 浙江 安徽 福建 江西 山东 山东 ' +
  '河南 湖北 湖南 广东 广东 广东 广西 海南 四川 贵州 云南 陕西 甘肃 青海 宁夏 新疆 深圳 深圳'
).split(' ')

// Every character carries its pinyin initial, so that cnspell needs no dictionary.
const firstCharacters =
  '岚L 泽Z 沐M 衡H 屹Y 臻Z 熠Y 翊Y 睿R 朔S 澄C 凌L 祺Q 晟S 烨Y 珩H 钧J 炬J 棠T 桦H 琛C 榕R 骏J 灏H 曜Y 霁J 隽J 奕Y 砺L 旌J 淳C 渝Y 湛Z 峻J 铂B 钰Y 锐R 铭M 鲲K 鹭L'.split(
    ' ',
  )
const secondCharacters =
  '川C 泰T 源Y 森S 峰F 恒H 达D 瑞R 信X 诚C 宇Y 航H 翔X 博B 维W 晨C 辉H 嘉J 科K 创C 联L 润R 丰F 盛S 拓T 域Y 能N 立L 岳Y 海H 山S 江J 林L 原Y 桥Q 门M 舟Z 石S 光G 云Y'.split(
    ' ',
  )
const industries: readonly (readonly [string, ...string[]])[] = [
  ['软件服务', '数科SK', '软件RJ', '信息XX', '智联ZL'],
  ['电气设备', '电气DQ', '新能XN', '储能CN', '电源DY'],
  ['元器件', '电子DZ', '光电GD', '精密JM'],
  ['半导体', '微芯WX', '半导BD', '芯材XC'],
  ['汽车配件', '汽配QP', '车业CY', '传动CD'],
  ['化工原料', '化学HX', '新材XC', '材料CL'],
  ['专用机械', '装备ZB', '智造ZZ', '重工ZG'],
  ['机械基件', '轴承ZC', '液压YY', '机械JX'],
  ['生物制药', '生物SW', '基因JY'],
  ['化学制药', '药业YY', '制药ZY'],
  ['中成药', '中药ZY', '本草BC'],
  ['医疗保健', '医疗YL', '健康JK'],
  ['通信设备', '通信TX', '通讯TX'],
  ['食品', '食品SP', '味业WY'],
  ['服饰', '服饰FS', '纺织FZ'],
  ['家用电器', '电器DQ', '家居JJ'],
  ['建筑工程', '建设JS', '工程GC'],
  ['区域地产', '置业ZY', '发展FZ'],
  ['煤炭开采', '煤业MY', '能源NY'],
  ['小金属', '矿业KY', '稀材XC'],
  ['普钢', '钢铁GT', '特钢TG'],
  ['环境保护', '环保HB', '水务SW'],
  ['供气供热', '燃气RQ', '热力RL'],
  ['仓储物流', '物流WL', '供应GY'],
  ['百货', '商业SY', '百货BH'],
  ['影视音像', '传媒CM', '文化WH'],
  ['农业综合', '农业NY', '种业ZY'],
  ['塑料', '塑胶SJ', '包装BZ'],
  ['水泥', '水泥SN', '建材JC'],
  ['证券', '证券ZQ'],
]
